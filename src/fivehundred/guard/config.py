"""The Guard's options, checked at the door: what is wrong is said at start, with what to type instead."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from fivehundred.envelope import Dsn
from fivehundred.guard.capture import About
from fivehundred.record import record

Mode: TypeAlias = Literal["production", "development", "testing"]
Disclose: TypeAlias = Literal["nothing", "cause"]
Statuses: TypeAlias = "Mapping[type[BaseException], int | tuple[int, str]]"


class GuardConfigError(ValueError):
    """An option of the Guard cannot be used; the text says which, and what can."""


@record(frozen=True, slots=True)
class Mapped:
    """What the application says about one of its exception classes."""

    kind: type[BaseException]
    status: int
    public: str


def dsn_of(given: str | None) -> Dsn | None:
    """The argument, FIVEHUNDRED_DSN, or SENTRY_DSN; an empty text means "send nothing". Raises DsnError."""
    text = given if given is not None else os.environ.get("FIVEHUNDRED_DSN", os.environ.get("SENTRY_DSN", ""))
    return Dsn.parse(text) if text.strip() else None


def about_of(
    release: str | None, environment: str | None, mode: Mode, app_paths: Iterable[str], secret_names: Iterable[str]
) -> About:
    if release is None:
        release = os.environ.get("FIVEHUNDRED_RELEASE", os.environ.get("SENTRY_RELEASE"))
    named = os.environ.get("FIVEHUNDRED_ENVIRONMENT", os.environ.get("SENTRY_ENVIRONMENT"))
    joined = (name.lower().replace("_", "").replace("-", "").replace(".", "").replace(" ", "") for name in secret_names)
    return About(
        release=release or "",
        environment=environment or named or mode,
        app_paths=tuple(os.path.abspath(path) for path in app_paths),
        secret_names=frozenset(joined),
    )


def checked_mode(mode: str) -> Mode:
    for known in get_args(Mode):
        if mode == known:
            return known  # type: ignore[no-any-return]
    raise GuardConfigError(f"mode is {mode!r}; it is one of {', '.join(get_args(Mode))}")


def checked_disclose(disclose: str) -> Disclose:
    for known in get_args(Disclose):
        if disclose == known:
            return known  # type: ignore[no-any-return]
    raise GuardConfigError(f"disclose is {disclose!r}; it is one of {', '.join(get_args(Disclose))}")


def mapped(statuses: Statuses | None) -> tuple[Mapped, ...]:
    found = []
    for kind, answer in (statuses or {}).items():
        status, public = answer if isinstance(answer, tuple) else (answer, "")
        if not (isinstance(kind, type) and issubclass(kind, BaseException)):
            raise GuardConfigError(f"statuses has the key {kind!r}; keys are exception classes")
        if not isinstance(status, int) or not 500 <= status <= 599 or not isinstance(public, str):
            raise GuardConfigError(
                f"statuses[{kind.__name__}] is {answer!r};"
                " write a status from 500 to 599, or (503, 'a sentence for the public')"
            )
        found.append(Mapped(kind, status, public))
    return tuple(found)


def spool_root(spool: str | os.PathLike[str] | None) -> Path | None:
    return Path(spool) if spool is not None else None
