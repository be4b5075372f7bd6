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
request_body_bytes_max: Final = 16 * KIB  # of a failed request's body: enough for any form, never an upload
capture_ms_max: Final = 20  # of one exception: what is not rendered by then is left out and counted
event_bytes_max: Final = 200 * KIB  # of one event on the wire; Sentry-compatible servers refuse above 1 MiB
guard_frames_max: Final = 100  # per exception: both ends are kept, the middle is counted
frames_all_max: Final = 250  # of all exceptions of an event together
chain_max: Final = 25  # exceptions of a chain or group
chain_depth_max: Final = 15  # groups within groups
locals_per_frame_max: Final = 30
frames_with_locals_max: Final = 20  # the innermost frames of the application
value_depth_max: Final = 4  # containers within containers, counted from a local variable
value_items_max: Final = 20  # per container
value_chars_max: Final = 512  # one text among the locals
nodes_max: Final = 1_500  # values of an event that are looked at
nodes_per_local_max: Final = 60  # so that one huge local leaves room for its neighbours
message_chars_max: Final = 4_096  # the message of an exception
message_ms_max: Final = 25  # an exception's own __str__; measured against an event loop that waits meanwhile
messages_hung_max: Final = 3  # threads that may be lost to a __str__ that never returns; then none is called
notes_max: Final = 20
source_lines: Final = 5  # on each side of the failing line, for frames of the application
source_file_bytes_max: Final = 2 * MIB
source_files_max: Final = 200  # kept in memory
source_lines_kept_max: Final = 5_000  # frames of which the lines around are kept ready, and their JSON
crumbs_max: Final = 50  # log records kept per request
crumb_chars_max: Final = 1_000
statements_max: Final = 30  # SQL statements kept per request, the last ones
statement_kept_chars_max: Final = 500  # of one that did not fail
user_chars_max: Final = 200  # of one member of a user that the application names
flight_bytes: Final = 256  # one request in flight, on disk: method, path and time
flights_max: Final = 256  # requests in flight of one process that are on disk; more are counted alone
fatal_bytes_max: Final = 64 * KIB  # of the stack that Python writes when a process crashes
open_files_looked_at_max: Final = 4_096  # descriptors whose kind is counted; 2 us each, on a background thread
texts_remembered_chars_max: Final = 2 * MIB  # of texts known to hold no secret, per set; there are four sets at most
texts_met_bytes: Final = 64 * KIB  # one for each text that was met once, by its hash: kept is what comes again
text_overhead_chars: Final = 100  # what a text costs beside its characters
text_remembered_chars_max: Final = 1_000  # longer ones are searched each time
names_remembered_max: Final = 5_000  # names of which it is known whether they are secret
scrub_looks_inside_max: Final = 50  # values of one text that are searched for a further name: each look may be long
scrub_chars_max: Final = 32 * KIB  # of one text: what is longer is cut rather than left unsearched
full_events_per_fault: Final = 50  # with locals and source, per fault and window; the ones after are slim
fault_window_s: Final = 10
faults_remembered_max: Final = 1_000
# answering: a hostile Accept costs no more than a browser's
template_body_bytes_max: Final = 256 * 1024  # of an application's own page for a failure
accept_chars_max: Final = 4 * KIB  # of Accept and Accept-Language; browsers send under 200
accept_ranges_max: Final = 64  # media ranges looked at, the first ones
held_body_bytes_max: Final = 64 * KIB  # of a 5xx that is held back until it is clear whose it is; bigger ones go out
usual_headers_max: Final = 1_000  # response headers, name and value, that are known to be legal
usual_header_chars_max: Final = 100  # of such a value
drain_bytes_max: Final = 4 * MIB  # of an unread request body read away, so that no reset eats the answer
drain_s_max: Final = 0.5  # the same, in time
deadline_digits_max: Final = 9  # of Fivehundred-Deadline, in milliseconds: eleven days
queue_wait_ms_max: Final = 600_000  # a proxy's time of arrival that lies further back is a clock that is wrong

# ---- guard: spool and shipping -------------------------------------------------------------------
guard_spool_bytes_max: Final = 64 * MIB  # per process, on disk
guard_memory_bytes_max: Final = 8 * MIB  # per process, where no disk can be written
guard_spool_slim_at: Final = 0.5  # of the bound: above it every event of a known fault is slim
guard_spool_count_at: Final = 0.9  # of the bound: above it events of a known fault are counted and not stored
ship_timeout_s: Final = 10  # one request to the collector
ship_backoff_first_s: Final = 0.5
ship_backoff_max_s: Final = 5  # within the first minutes of an outage: a refused connection costs next to nothing
ship_backoff_long_s: Final = 30  # after ship_long_outage_s
ship_long_outage_s: Final = 300
retry_after_max_s: Final = 600  # a longer wait that a collector asks for is cut to this
ship_exit_s: Final = 2  # a process that ends waits this long for the collector; the rest stays on disk
job_flush_s: Final = 2  # a failed job's process waits this long for the collector before it ends
adopt_every_s: Final = 30  # between looks for spools of processes that died
spool_age_max_s: Final = 7 * 86_400  # older spools of dead processes are dropped, and counted
probe_ms_max: Final = 200
probe_every_s: Final = 1  # per peer
probe_peers_max: Final = 50
complete_wait_ms: Final = 400  # what the shipping thread waits for the snapshot of an event
snapshot_every_s: Final = 1

# ---- console: ingest and spool -------------------------------------------------------------------
body_bytes_max: Final = 20 * MIB  # one request as sent, still compressed; SDK events are a few KiB
inflated_bytes_max: Final = 100 * MIB  # the same body unpacked; the reference ingestion server allows 200 MiB
store_inflated_bytes_max: Final = 10 * MIB  # /store/ holds one event and no attachment
inflate_check_bytes: Final = 64 * KIB  # larger bodies are unpacked at the door to count; smaller ones by the digest
request_header_bytes_max: Final = 32 * KIB  # request line and headers together
header_seconds_max: Final = 15  # from the connection (or the first byte of a request) to the end of its headers
body_seconds_max: Final = 30  # from the headers to the end of the body
key_chars_max: Final = 128  # a public key
refused_keys_max: Final = 10_000  # remembered refusals of (project, key)
refused_key_seconds: Final = 2.0  # how long one is remembered: a new key works at the latest after this
segment_bytes_max: Final = 64 * MIB  # one spool file; the disk is given back in these steps
record_bytes_max: Final = body_bytes_max + MIB  # one spool record: a body and what is known of its request
backlog_bytes_max: Final = 2048 * MIB  # accepted and not yet digested: some 300,000 events; then 429
disk_free_bytes_min: Final = 256 * MIB  # below it nothing is accepted: a full disk would stop the store as well
backlog_retry_seconds: Final = 30  # Retry-After while the backlog is full
records_a_message_max: Final = 64  # of the cluster: one sync of the servers covers them all
quota_events_max: Final = 1_000_000_000  # per span; more is none
origins_a_project_max: Final = 100  # of web pages that may send; the door compares each request of a page with them
erasure_days: Final = 30  # how long an order to erase is remembered where nobody can say that nothing old waits
digest_deaths_max: Final = 3  # processes that one record may take with it before it is set aside unread
digest_event_cpu_s_max: Final = 1.0  # processor time of one event; the slowest honest ones take some 50 ms
digest_record_cpu_s_max: Final = 5.0  # of one record: a collector's batch of 8,000 failed spans
otlp_inflated_bytes_max: Final = 16 * MIB  # one export request unpacked: a collector's batch of 8,192 spans is 8 MiB
otlp_records_max: Final = 50_000  # log records or spans of one request
otlp_fields_max: Final = 100_000  # fields of one protobuf message
otlp_attributes_max: Final = 256  # of one record, and values of one list; OpenTelemetry's own default is 128
otlp_span_events_max: Final = 256  # of one span; OpenTelemetry's own default is 128
otlp_span_depth_max: Final = 200  # spans above one of which is known how deep it lies
otlp_depth_max: Final = 8  # lists and maps within attributes
otlp_container_bytes_max: Final = 64 * KIB  # one list or map within attributes; a larger one is left out
otlp_text_chars_max: Final = 128 * KIB  # one text: stacks come as text
stack_text_lines_max: Final = 5_000  # of a stack that came as text; both ends are read
stack_text_line_chars_max: Final = 2_000

# ---- console: store, pages, API ------------------------------------------------------------------
digest_records_max: Final = 300  # in one transaction: one sync for all of them, and no page waits long for its turn
outlines_remembered_bytes_max: Final = 24 * MIB  # of events that are counted: frames, stacks, exceptions, tags
shape_bytes_max: Final = 8 * KIB  # of one frame's variables; larger ones are walked through each time
shapes_remembered_bytes_max: Final = 6 * MIB  # per set of the three, twice that while one takes over from another
stacks_remembered_bytes_max: Final = 16 * MIB  # of frames without variables, and what is known of them
looks_remembered_max: Final = 10_000  # kinds of events of which is remembered whether they were kept last: 1 MB
digest_bytes_max: Final = 8 * MIB  # the same, as received
event_read_bytes_max: Final = 4 * MIB  # one event as sent; a larger one is malformed: reading it would hold up all
kept_bytes_max: Final = MIB  # one event as kept; of a larger one variables, breadcrumbs and extra are left out
reports_max: Final = 100  # entries of one session, client or browser report
payloads_an_hour_max: Final = 100  # per fault, all of them; after that every 10th, 100th ...: a storm costs counters
payloads_an_hour_pressed_max: Final = 10  # the same while the digest is behind: then it is soon no longer
digest_behind_s: Final = 10.0  # batches whose first record has waited longer, and that are half full, are a backlog
users_a_fault_max: Final = 10_000  # distinct identities that are told apart; past it the figure means "at least"
values_a_tag_max: Final = 100  # distinct values counted per fault and tag, the rest under "…"
tags_a_fault_max: Final = 50  # tag names counted per fault: ids used as tag names must not fill the disk
values_a_project_max: Final = 1_000  # releases, hosts, environments
tally_rows_max: Final = 2_000  # per project: reasons and SDK names come from senders
malformed_bytes_max: Final = 64 * KIB  # of what could not be read: enough to see what it was
malformed_kept_max: Final = 1_000  # per project, the newest
feedback_kept_max: Final = 10_000  # per project, the newest: what users wrote about events
feedback_chars_max: Final = 4_096  # of one; the SDKs' own bound
feedback_of_an_event_max: Final = 50  # that are shown
body_segment_bytes_max: Final = 32 * MIB  # of payloads in one file: what retention frees in one step
retention_days: Final = 90  # a quarter: long enough to compare with the release before the last one
retention_bytes_max: Final = 10 * 1024 * MIB  # database and payloads: some 2.5 million payloads
disk_bytes_min: Final = 256 * MIB  # the smallest limit that can be asked for: below it a file of payloads is most of it
import_wait_s_max: Final = 900  # for a tracker that asks to wait: Sentry's windows are seconds, GlitchTip's a minute
import_pause_s: Final = 1.0  # before the first new try; doubled for each further one
import_timeout_s: Final = 60  # of one request
import_page_bytes_max: Final = 64 * MIB  # 100 whole events are some 10 MB
project_days_max: Final = 3_650  # what a project may say that it keeps at most
project_events_max: Final = 1_000_000_000
project_megabytes_max: Final = 10_000_000
payloads_a_fault_max: Final = 10_000  # more of one fault is read by nobody
payloads_a_fault_min: Final = 100  # of every fault stay the newest, however many events others have
retention_rows_max: Final = 500  # events deleted or moved in one transaction: some 20 ms
sweep_rows_max: Final = 5_000  # ids looked at in one transaction
vacuum_pages_max: Final = 2_000  # pages given back to the disk at a time: 8 MiB
dictionary_bytes_max: Final = 110 * KIB  # zstd's own advice; halves every payload
dictionary_sample_bytes_max: Final = 64 * KIB  # of one sample: 300 of them are 19 MB at most
dictionary_samples: Final = 300  # kept payloads of a project before its dictionary is trained
words_a_fault_max: Final = 2_000  # different ones that a search finds it by: some 40 kB
word_chars_max: Final = 64  # of one; what is longer is no word
word_text_chars_max: Final = 2_000  # of one text whose words are kept
word_frames_max: Final = 60  # of a stack: the innermost
stats_hours_max: Final = 24 * 90  # the longest span that figures are asked for
event_search_s_max: Final = 1.5  # that a search reads payloads for: some 20,000; then it says how far it came
page_rows_max: Final = 200  # faults or events in one answer

# (the face)
search_chars_max: Final = 500  # a search line; a longer one is cut, it would not fit into a URL everywhere
rows_max: Final = 40  # faults on one page of the list: what fits into 60 kB
highlight_chars_max: Final = 8 * KIB  # of one frame's source: more is shown without colours, lexers are not linear
highlights_kept_max: Final = 256  # coloured pieces of source, in memory: at most some megabytes
shown_chars_max: Final = 400  # of one value on a page; the whole of it is in the event's JSON
shown_values_max: Final = 40  # variables of a frame, headers, tags ... on a page
shown_frames_max: Final = 60  # frames of one stack on a page: both ends are kept
shown_sources_max: Final = 6  # frames of one page that are shown with their source
form_bytes_max: Final = 64 * KIB  # a posted form: numbers of faults and a few words
listeners_max: Final = 200  # browsers that watch /live at the same time, more are asked to come back

# ---- client --------------------------------------------------------------------------------------
attempts_max: Final = 4  # of one call, the first included, at one layer only
call_s: Final = 30  # deadline of a whole call: attempts, waits and body
attempt_s: Final = 10  # until the head of an answer has come, and between two pieces of its body
backoff_first_s: Final = 0.1  # the ceiling of the first wait; doubled for each further one
backoff_max_s: Final = 5
backoff_min_s: Final = 0.001  # never 0: callers that fail together must not come back together
retry_after_obeyed_s_max: Final = 30  # a longer wait is the caller's to decide: it fails now and says how long
retry_after_jitter: Final = 0.25  # of the wait that was asked for, on top: all were told the same second
budget_earned: Final = 0.2  # retries that one success pays for; the cliff of a collapse lies between 0.3 and 0.5
budget_start: Final = 2.0
budget_size_min: Final = 2.0
budget_window_s: Final = 10
budget_cost: Final = 1.0  # of a retry after a 500, a reset or a cut body
budget_cost_overload: Final = 2.0  # of a retry after a sign of overload
successes_vouch_min: Final = 5  # within the budget's window, before a time-out is tried again: docs/why/retries.md
breaker_window_s: Final = 10
breaker_attempts_min: Final = 10  # within the window, before a share of failures means anything
breaker_share: Final = 0.5  # of attempts that met overload
breaker_open_s: Final = 1  # 5 cost up to 7 points where a hang sat behind two layers: docs/why/retries.md
successes_uncounted_max: Final = 256  # of an origin, before somebody has to count them
origins_max: Final = 1_000  # scheme, host and port of which a process remembers budget and breaker
error_body_bytes_max: Final = 256 * KIB  # of a 5xx that is read: problem details are small, error pages are not
problem_chars_max: Final = 64 * KIB  # of a body that is searched for what it says
problem_members_max: Final = 100
told_chars_max: Final = 500  # of a title or detail that a server sends
reference_chars_max: Final = 128
retry_after_chars_max: Final = 64
redirects_max: Final = 10  # that `fivehundred get` follows
get_body_bytes_max: Final = 64 * MIB  # of an answer that it holds in memory
get_shown_chars_max: Final = 2_000  # of an error's body that it prints
get_columns: Final = 100  # of its lines, where no terminal says how wide it is

# ---- why: incidents, merges, rules, rates ---------------------------------------------------------
rates_every_s: Final = 60  # how often a Guard sends how many requests went well
rates_keys_max: Final = 300  # routes, methods and kinds of status that one Guard counts apart; the rest as "…"
rates_route_chars_max: Final = 200
rates_exit_s: Final = 1  # what a process waits at its end for the last counts
rates_rows_max: Final = 500  # of one report
rates_routes_max: Final = 1_000  # routes of a project; the rest as "…"
rates_days: Final = 30
commit_s: Final = 5  # all questions to a git repository about one fault
commits_max: Final = 20  # looked at for one fault
incident_signals_max: Final = 1_000  # faults of one window that are looked at, those with the most events
incident_values_max: Final = 200  # routes, hosts ... of one incident
incidents_kept_max: Final = 5_000  # resolved ones; open ones stay
incident_users_max: Final = 10_000  # that are told apart; past it the figure means "at least"

grouping_rules_max: Final = 200  # of a Console; each is tried on each event of its project
grouping_pattern_chars_max: Final = 200
grouping_matchers_max: Final = 10  # of one rule
grouping_name_chars_max: Final = 200  # of the fingerprint that a rule gives
choices_max: Final = 2_000  # merges and splits of a project that stand
suggestions_max: Final = 6  # of one fault
suggested_from_max: Final = 300  # faults that are compared with it

# ---- diagnosis -----------------------------------------------------------------------------------
facts_shown_max: Final = 12  # with a diagnosis
also_shown_max: Final = 8  # other rules that matched
diagnosed_text_chars_max: Final = 2_000  # of one message
diagnosed_frames_max: Final = 200  # whose modules are looked at
concept_text_chars_max: Final = 600  # of a message that no table knows
concept_names_max: Final = 2_000  # class names and modules whose meaning is remembered
store_frames_max: Final = 8  # innermost frames whose names may tell a data store
statement_chars_max: Final = 8_000  # of one SQL statement
told_line_chars_max: Final = 160  # of a message in a sentence
runbook_lines_max: Final = 12  # of one step
runbook_line_chars_max: Final = 300
value_shown_chars_max: Final = 60  # of a value of the request in a sentence
quick_chain_max: Final = 30  # exceptions of a chain or group
quick_classes_max: Final = 20  # of one exception's ancestry
quick_kinds_max: Final = 500  # classes remembered
quick_texts_max: Final = 200  # messages of which it is remembered what they say: a burst repeats a few
quick_text_chars_max: Final = 600  # of a message: drivers put what matters first
quick_frames_max: Final = 60  # whose module names are read
replay_body_chars_max: Final = 4_000  # of the body in a curl command
inputs_max: Final = 200  # values of a request that are compared
input_leaves_max: Final = 2_000  # of a body: scrubbed and empty ones are among them
input_chars_max: Final = 4_000  # of one value; compared text is cut further
input_body_chars_max: Final = 64_000  # of a body
