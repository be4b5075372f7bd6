"""The points of the 500 contract, the pairs it is held on, and where a pair cannot hold one, with the reason."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Spec:
    name: str
    module: str
    attribute: str
    server: str
    quick: bool = False  # in every run of the suite; the others by scripts/contract

    @property
    def is_wsgi(self) -> bool:
        return self.server in ("gunicorn", "gunicorn-gthread", "waitress", "wsgiref") or self.name == "wsgi+granian"


apps = "tests.contract.apps"
pairs = [
    Spec("flask+gunicorn", f"{apps}.flask_app", "application", "gunicorn", quick=True),
    Spec("flask+waitress", f"{apps}.flask_app", "application", "waitress"),
    Spec("flask+wsgiref", f"{apps}.flask_app", "application", "wsgiref"),
    Spec("wsgi+waitress", f"{apps}.wsgi_app", "application", "waitress", quick=True),
    Spec("wsgi+gunicorn", f"{apps}.wsgi_app", "application", "gunicorn"),
    Spec("django+gunicorn", f"{apps}.django_app", "application", "gunicorn", quick=True),
    Spec("django+uvicorn", f"{apps}.django_app", "asgi_application", "uvicorn-h11", quick=True),
    Spec("fastapi+uvicorn", f"{apps}.fastapi_app", "application", "uvicorn", quick=True),
    Spec("starlette+uvicorn", f"{apps}.starlette_app", "application", "uvicorn-h11", quick=True),
    Spec("asgi+uvicorn", f"{apps}.asgi_app", "application", "uvicorn"),
    Spec("drf+gunicorn", f"{apps}.drf_app", "application", "gunicorn", quick=True),
    Spec("bottle+waitress", f"{apps}.bottle_app", "application", "waitress", quick=True),
    Spec("pyramid+waitress", f"{apps}.pyramid_app", "application", "waitress", quick=True),
    Spec("falcon+gunicorn", f"{apps}.falcon_app", "application", "gunicorn", quick=True),
    Spec("falcon-asgi+uvicorn", f"{apps}.falcon_app", "asgi_application", "uvicorn", quick=True),
    Spec("litestar+uvicorn", f"{apps}.litestar_app", "application", "uvicorn", quick=True),
    Spec("quart+hypercorn", f"{apps}.quart_app", "application", "hypercorn", quick=True),
    Spec("aiohttp", f"{apps}.aiohttp_app", "application", "aiohttp", quick=True),
    Spec("sanic", f"{apps}.sanic_app", "application", "sanic", quick=True),
    Spec("tornado", f"{apps}.tornado_app", "application", "tornado", quick=True),
    Spec("flask+gthread", f"{apps}.flask_app", "application", "gunicorn-gthread"),
    Spec("fastapi+gunicorn-uvicorn", f"{apps}.fastapi_app", "application", "gunicorn-uvicorn"),
    Spec("wsgi+gthread", f"{apps}.wsgi_app", "application", "gunicorn-gthread"),
    Spec("wsgi+granian", f"{apps}.wsgi_app", "application", "granian"),
    Spec("asgi+granian", f"{apps}.asgi_app", "application", "granian"),
    Spec("django+hypercorn", f"{apps}.django_app", "asgi_application", "hypercorn"),
    Spec("fastapi+hypercorn", f"{apps}.fastapi_app", "application", "hypercorn"),
    Spec("litestar+hypercorn", f"{apps}.litestar_app", "application", "hypercorn"),
    Spec("falcon+waitress", f"{apps}.falcon_app", "application", "waitress"),
    Spec("bottle+gunicorn", f"{apps}.bottle_app", "application", "gunicorn"),
    Spec("pyramid+gunicorn", f"{apps}.pyramid_app", "application", "gunicorn"),
    Spec("quart+uvicorn", f"{apps}.quart_app", "application", "uvicorn"),
    Spec("asgi+hypercorn", f"{apps}.asgi_app", "application", "hypercorn", quick=True),
]

levels: dict[int, tuple[str, str]] = {
    1: ("MUST", "an exception in the handler gives exactly 500, complete"),
    2: ("MUST", "the same for every method"),
    3: ("MUST", "also before the handler"),
    4: ("MUST", "also on the way out"),
    5: ("MUST", "also when the error handler itself fails"),
    6: ("MUST", "a malformed result is a complete 500"),
    7: ("MUST", "CR, LF, NUL in a header: nothing injected, complete"),
    8: ("MUST", "hostile exceptions: 500, at most 32 KiB"),
    9: ("MUST", "RecursionError, MemoryError, ExceptionGroup"),
    10: ("MUST", "CancelledError, GeneratorExit are answered, the server lives"),
    11: ("MUST", "SystemExit does not end the process"),
    12: ("SHOULD", "a dependency that is down is 503 with Retry-After"),
    13: ("SHOULD", "an upstream's failure is 502, 503 or 504"),
    14: ("SHOULD", "problem+json, valid"),
    15: ("SHOULD", "JSON for application/json"),
    16: ("SHOULD", "HTML with charset for a browser"),
    17: ("EXTRA", "text for text/plain"),
    18: ("MUST", "any other Accept still gets the 500, typed"),
    19: ("SHOULD", "q-values decide, q=0 excludes"),
    20: ("SHOULD", "Vary: Accept, merged"),
    21: ("SHOULD", "says whether it is temporary, or what to do"),
    22: ("EXTRA", "Accept-Language, Content-Language, Vary"),
    23: ("SHOULD", "HTML that is accessible and needs nothing else"),
    24: ("SHOULD", "nosniff, and a CSP on the HTML"),
    25: ("SHOULD", "an opaque id, new each time, in header and body"),
    26: ("SHOULD", "50 failures at once: 50 answers, 50 ids"),
    27: ("EXTRA", "a valid traceparent's id is in the answer, a bad one never"),
    28: ("MUST", "no traceback, path, source, class"),
    29: ("MUST", "no message, local, SQL, DSN, key"),
    30: ("SHOULD", "no version"),
    31: ("MUST", "nothing of the request comes back"),
    32: ("SHOULD", "different bugs, the same answer"),
    33: ("MUST", "HEAD as GET, no body"),
    34: ("MUST", "exact framing"),
    35: ("MUST", "HTTP/1.0: no chunks, complete, closed"),
    36: ("SHOULD", "the connection stays usable, or says it closes"),
    37: ("MUST", "an unread body: whole answer, next request not confused"),
    38: ("SHOULD", "Cache-Control: no-store, no validators"),
    39: ("MUST", "what the handler had set is not on it"),
    40: ("MUST", "preconditions and Range are ignored"),
    41: ("SHOULD", "CORS as on the 200, no more"),
    42: ("SHOULD", "the id's header is exposed by CORS"),
    43: ("MUST", "a stream that fails before its first byte is a full 500"),
    44: ("MUST", "after it: the client can tell, nothing is appended"),
    45: ("MUST", "a failing background task leaves the response whole, is reported"),
    46: ("MUST", "a client that goes away is no fault"),
    47: ("MUST", "logged with traceback at ERROR"),
    48: ("SHOULD", "logged once"),
    49: ("SHOULD", "the id is in that record"),
    50: ("SHOULD", "no forged line"),
}

# (point, beginning of a pair's name) -> why it does not apply, or cannot be held
exceptions: dict[tuple[int, str], str] = {
    (36, "flask+wsgiref"): "n/a: an HTTP/1.0 server closes after every response",
    (44, "wsgi+granian"): "cannot: Granian ends a WSGI body that raises as if it were whole",
    (44, "flask+wsgiref"): "cannot: HTTP/1.0 ends a body of unknown length by closing, broken or not",
    (30, "flask+wsgiref"): "cannot: wsgiref writes its own version into Server; it is not for production",
}
