"""What changed and what happened before: the difference from the last good start, and the Console's history."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from fivehundred.diagnosis.frames import where
from fivehundred.diagnosis.model import Fact
from fivehundred.event import Json

if TYPE_CHECKING:
    from fivehundred.diagnosis.case import Case

Facts = Iterator[Fact]


def _changes(case: Case) -> Iterator[tuple[str, dict[str, Json], str]]:
    """(name, change, where it stands)."""
    changed = case.ours.get("changed")
    for number, change in enumerate(changed[:100] if isinstance(changed, list) else []):
        if isinstance(change, dict):
            yield (
                str(change.get("name") or change.get("what") or "")[:200],
                change,
                f"contexts.fivehundred.changed[{number}]",
            )


def context(case: Case) -> Facts:
    """Where and since when, for a person to weigh: it moves no verdict by itself."""
    history, release = case.history, case.event.release
    if release and history.newest_release == release and history.releases == (release,) and history.events > 0:
        text = f"it is seen in the newest release {release} only"
        yield Fact("history", "release", release, "weak", "history.releases", text)
    if len(history.hosts) == 1 and (history.all_hosts or 0) > 1 and history.events >= _events_for_a_host:
        text = f"only {history.hosts[0]} of {history.all_hosts} hosts has it"
        yield Fact("history", "host", history.hosts[0], "weak", "history.hosts", text)
    if len(history.routes) > 1:
        text = f"{len(history.routes)} routes fail in this way"
        yield Fact("history", "routes", str(len(history.routes)), "weak", "history.routes", text)
    if history.others_now:
        others = len(history.others_now)
        text = f"{others} other fault{'' if others == 1 else 's'} happened in the same minutes"
        yield Fact("history", "others", str(len(history.others_now)), "weak", "history.others_now", text)


_events_for_a_host: Final = 5  # fewer can fall on one host by chance


def address_changed(case: Case) -> Facts:
    """A setting of an address has changed since the last start."""
    for name, _, source in _changes(case):
        if re.search(r"URL|URI|DSN|HOST|PORT|ADDR|SERVER|ENDPOINT|DATABASE|DB", name, re.IGNORECASE):
            yield Fact("change", name, "changed", "decisive", source, f"{name} has changed since the last start")
            return


def signature_after_change(case: Case) -> Facts:
    """A signature was refused, and a secret has changed since the last start."""
    if "security.forged_token" not in case.clues:
        return
    for name, _, source in _changes(case):
        if re.search(r"SECRET|KEY|SALT|SIGN|TOKEN|JWT", name, re.IGNORECASE):
            text = f"the secret {name} has changed since the last start"
            yield Fact("change", name, "changed", "decisive", source, text, None, True)
            return


def secret_differs(case: Case) -> Facts:
    """A signature or a decryption failed for want of the right secret of ours."""
    yield from signature_after_change(case)
    frame = case.app_frame
    line = frame.context_line if frame is not None else ""
    refused = "security.forged_token" in case.clues or any(_ciphers.search(f"{m}.{n}") for m, n in _classes(case))
    if frame is not None and refused and _opens.search(line) and not _from_outside.search(line):
        text = f"{where(frame)} opens a value of the application's own: {line.strip()[:100]}"
        yield Fact("frame", frame.function, "own value", "strong", "frames", text, None, True)


_ciphers: Final = re.compile(r"[Cc]rypt|[Cc]ipher|InvalidTag")
_opens: Final = re.compile(r"decrypt|unseal|credentials|\bopen_secret|secretbox", re.IGNORECASE)
_from_outside: Final = re.compile(
    r"request|cookie|header|\btoken|session|body|payload|form\b|param|authorization|\bargs\b|query", re.IGNORECASE
)


def _classes(case: Case) -> Iterator[tuple[str, str]]:
    return (pair for one in case.raised for pair in one.classes[:2])


def many_fail_signature(case: Case) -> Facts:
    """A signature was refused."""
    for fact in case.clues.get("security.forged_token", ())[:1]:
        yield Fact("class", fact.subject, fact.value, "strong", fact.source, f"the signature is refused ({fact.value})")


def others_pass(case: Case) -> Facts:
    """A secret that did not change is known only where the Guard compares starts."""
    if "changed" in case.ours and not any(True for _ in signature_after_change(case)):
        yield Fact(
            "change",
            "secret",
            "same",
            "strong",
            "contexts.fivehundred.changed",
            "no secret has changed since the last start",
            None,
            True,
        )


def only_old_releases(case: Case) -> Facts:
    """Only events of an older release are known."""
    newest, own = case.history.newest_release, case.event.release
    if newest and own and own != newest and newest not in case.history.releases:
        yield Fact(
            "history",
            "release",
            own,
            "strong",
            "history",
            f"only {own} is hit, the newest release {newest} is not",
            None,
            True,
        )
