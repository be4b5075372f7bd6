"""Every bound of the product, with its unit in the name and its reason beside it.

A value that is cut says so where it was cut; a thing that is dropped is counted. Nothing here is an option: a bound
becomes an option only when somebody shows a case that no better default could serve.
"""

from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * KIB

# ---- an event, as it is parsed (console) ---------------------------------------------------------
frames_max: Final = 500  # per stack: both ends are kept, 250 + 250, as the reference ingestion server does
exceptions_max: Final = 50  # per event: chains and the leaves of groups
breadcrumbs_max: Final = 100  # the newest are kept
tags_max: Final = 100
tag_chars_max: Final = 200  # longer values are cut by every Sentry-compatible server
text_chars_max: Final = 8192  # messages, values
name_chars_max: Final = 512  # module, function, file, release ...
json_depth_max: Final = 100  # deeper trees are pruned, not refused
context_lines_max: Final = 30  # source lines on each side of the failing one
line_chars_max: Final = 1024  # one source line

# ---- guard: answering and capturing --------------------------------------------------------------

# ---- guard: spool and shipping -------------------------------------------------------------------

# ---- console: ingest and spool -------------------------------------------------------------------

# ---- console: store, pages, API ------------------------------------------------------------------

# ---- client --------------------------------------------------------------------------------------
