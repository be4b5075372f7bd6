"""The dict that an Event is on the wire: Sentry's public payload. The way back is ``fivehundred.event.parse``."""

from __future__ import annotations

from fivehundred.event import Breadcrumb, Event, ExceptionItem, Frame, Json, Mechanism, Request, User


def to_wire(event: Event, *, with_exceptions: bool = True) -> dict[str, Json]:
    """The event as Sentry's public payload: what is empty is left out."""
    exceptions = event.exceptions if with_exceptions else []
    entry: dict[str, Json] = {}
    if event.message:
        entry = {"formatted": event.message, "message": event.message_template or event.message}
    return _filled_only(
        {
            "event_id": event.event_id,
            "timestamp": event.timestamp,
            "platform": event.platform,
            "level": event.level,
            "logger": event.logger,
            "transaction": event.transaction,
            "server_name": event.server_name,
            "release": event.release,
            "dist": event.dist,
            "environment": event.environment,
            "logentry": entry,
            "exception": {"values": [exception_to_wire(x) for x in exceptions]} if exceptions else None,
            "stacktrace": {"frames": [frame_to_wire(x) for x in event.frames]} if event.frames else None,
            "request": _request_to_wire(event.request) if event.request else None,
            "user": _user_to_wire(event.user) if event.user else None,
            "breadcrumbs": {"values": [_breadcrumb_to_wire(x) for x in event.breadcrumbs]}
            if event.breadcrumbs
            else None,
            "tags": dict(event.tags),
            "contexts": {k: dict(v) for k, v in event.contexts.items()},
            "extra": event.extra,
            "modules": dict(event.modules),
            "fingerprint": list(event.fingerprint),
            "sdk": {"name": event.sdk.name, "version": event.sdk.version} if event.sdk.name else None,
            "type": event.type if event.type != "event" else None,
        }
    )


def _filled_only(values: dict[str, Json]) -> dict[str, Json]:
    return {k: v for k, v in values.items() if v is not None and v != "" and v != {} and v != []}


def exception_to_wire(x: ExceptionItem, *, with_frames: bool = True) -> Json:
    wire: dict[str, Json] = {"type": x.type, "value": x.value}  # both are expected by every server, even when empty
    if x.module:
        wire["module"] = x.module
    if x.mechanism:
        wire["mechanism"] = _mechanism_to_wire(x.mechanism)
    if x.frames and with_frames:
        wire["stacktrace"] = {"frames": [frame_to_wire(f) for f in x.frames]}
    if x.thread_id:
        wire["thread_id"] = x.thread_id
    return wire


def _mechanism_to_wire(m: Mechanism) -> Json:
    return _filled_only(
        {
            "type": m.type,
            "handled": m.handled,
            "synthetic": m.synthetic or None,
            "source": m.source,
            "exception_id": m.exception_id,
            "parent_id": m.parent_id,
            "is_exception_group": m.is_exception_group or None,
            "meta": m.meta,
            "data": m.data,
        }
    )


def frame_to_wire(f: Frame) -> Json:
    wire: dict[str, Json] = {"filename": f.filename, "function": f.function, "lineno": f.lineno}
    for name, value in (
        ("abs_path", f.abs_path),
        ("module", f.module),
        ("context_line", f.context_line),
        ("platform", f.platform),
    ):
        if value:
            wire[name] = value
    if f.pre_context:
        wire["pre_context"] = list(f.pre_context)
    if f.post_context:
        wire["post_context"] = list(f.post_context)
    if f.vars:
        wire["vars"] = f.vars
    if f.in_app is not None:
        wire["in_app"] = f.in_app
    if f.colno is not None:
        wire["colno"] = f.colno
    return wire


def _request_to_wire(r: Request) -> Json:
    return _filled_only(
        {
            "method": r.method,
            "url": r.url,
            "query_string": r.query_string,
            "data": r.data,
            "cookies": dict(r.cookies),
            "headers": dict(r.headers),
            "env": r.env,
        }
    )


def _user_to_wire(u: User) -> Json:
    return _filled_only({"id": u.id, "username": u.username, "email": u.email, "ip_address": u.ip_address})


def _breadcrumb_to_wire(b: Breadcrumb) -> Json:
    return _filled_only(
        {
            "timestamp": b.timestamp,
            "type": b.type,
            "category": b.category,
            "message": b.message,
            "level": b.level,
            "data": b.data,
        }
    )
