"""What no reply may say: every reply of a run is looked through, also those that a test asks for another reason."""

from __future__ import annotations

import re
from pathlib import Path

from tests.contract.wire import Reply

# planted in the failures and in the requests of the contract; lower case
secrets = (
    "hunter2",
    "postgres://",
    "10.1.2.3",
    "select *",
    "boom ",
    "forged=1",
    "127.0.0.1",
    "planted",
    "the stream broke",
    "no space left",
)
_made_of = re.compile(
    r"Traceback|failures\.py|\.py\b|site-packages|\b[A-Z]\w*(?:Error|Exception)\b|object at 0x|<class |Debugger"
    r"|__main__|/usr/|File &quot;|File \"|psycopg|sqlalchemy|" + re.escape(str(Path(__file__).parents[2]))
)
_product = re.compile(
    r"(?:python|werkzeug|flask|django|gunicorn|uvicorn|hypercorn|granian|waitress|aiohttp|sanic|tornado|bottle|pyramid"
    r"|litestar|starlette|falcon|quart|fivehundred)[/ ]v?\d",
    re.I,
)


def check(reply: Reply) -> None:
    text = reply.raw.decode("utf-8", "replace")
    for planted in secrets:
        assert planted not in text.lower(), (planted, text)
    if reply.status >= 500:
        assert not _made_of.search(text), text
        assert not _product.search(reply.body.decode("utf-8", "replace")), text
