"""How the Guard is attached in the SDK comparison tools: ``--sdk fivehundred=guard_plugin:fivehundred``.

``f(ctx) -> Plug``. With transport "null" events are captured, scrubbed, encoded and completed as always, and handed to
``ctx.deliver`` instead of to a socket; with "http" the Guard ships to the tool's own collector.
"""

from __future__ import annotations

import atexit
import shutil
import sys
import tempfile
from typing import Any

from fivehundred.envelope import Dsn
from fivehundred.guard import ship
from fivehundred.guard.collector import Collector, Outcome
from fivehundred.guard.guard import Guard


class _NullCollector(Collector):
    deliver: Any

    def send(self, envelope: bytes) -> Outcome:
        from fivehundred.guard.collector import _gzip

        _NullCollector.deliver(_gzip(envelope))
        return Outcome("delivered")


def fivehundred(ctx: Any) -> Any:
    plugins = next(m for name, m in sys.modules.items() if name.endswith("sdk_plugins"))
    folder = tempfile.mkdtemp(prefix="guard-bench-")
    atexit.register(shutil.rmtree, folder, True)
    dsn = ctx.sink_url.replace("http://", "http://key@") + "/1"
    Dsn.parse(dsn)
    if ctx.null:
        _NullCollector.deliver = staticmethod(ctx.deliver)
        ship.Collector = _NullCollector  # type: ignore[misc]
    guard = Guard(dsn, spool=folder)

    def wrap(app: Any) -> Any:
        if ctx.framework == "django":
            return guard.wsgi(app)
        return app if ctx.framework == "none" else getattr(guard, ctx.framework)(app)

    return plugins.Plug(wrap, guard.capture, guard.flush)
