"""The tools an agent gets. Each asks the Console's API once or twice and answers Markdown within a budget of tokens.

Reading needs nothing; ``update_fault`` is there only when the server was started for writing, and even then the
Console decides by the token.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, TypeAlias
from urllib.parse import quote, urlsplit

from mcp.server.mcpserver.exceptions import ToolError
from pydantic import Field

from fivehundred.console.mcp import answers, pasted
from fivehundred.console.mcp.asking import Asking, Refused

Query: TypeAlias = Annotated[
    str,
    Field(
        max_length=1_000,
        description='As in the search line: "is:open cause:database release:2.4 timeout". Filters: is:open|muted|'
        "resolved|any, cause:misconfiguration|overload|bug|database|security|unknown, release:, env:, project:; "
        "the rest is text.",
    ),
]
Tokens: TypeAlias = Annotated[int, Field(description="The most tokens that the answer may have.")]
FaultName: TypeAlias = Annotated[
    str,
    Field(
        max_length=2_000, description="A fault's number (12 or #12), a 32-digit reference, or the URL of either page."
    ),
]
State: TypeAlias = Literal["open", "muted", "resolved"]

_HEX = re.compile(r"[0-9a-f]{32}")


async def list_faults(ask: Asking, query: str, limit: int, tokens: int) -> str:
    found = await _told(ask.json("/api/v1/faults", query=query, limit=max(1, min(limit, 100))))
    return answers.fault_list(found, ask.url, answers.bounded(tokens))


async def get_fault(ask: Asking, name: str, tokens: int) -> str:
    number = await _number(ask, name)
    return answers.within(await _told(ask.text(f"/faults/{number}.md")), answers.bounded(tokens))


async def search(ask: Asking, text: str, tokens: int) -> str:
    """A reference leads to its event's fault; anything else is looked for in faults of every state."""
    reference = reference_of(text)
    if reference:
        return await get_fault(ask, reference, tokens)
    line = text if re.search(r"\bis:", text) else f"is:any {text}"
    return await list_faults(ask, line, 25, tokens)


async def get_incident(ask: Asking, number: int | None, tokens: int) -> str:
    if number is None:
        return answers.incident_list(await _told(ask.json("/api/v1/incidents")), answers.bounded(tokens))
    found = await _told(ask.json(f"/api/v1/incidents/{number}"))
    return answers.values(f"Incident {number}", found, answers.bounded(tokens))


async def reproduce(ask: Asking, name: str) -> str:
    """The request of the newest kept event: as a curl command and as a test that fails while the fault is there."""
    event = reference_of(name)
    if not event:
        found = await _told(ask.json(f"/api/v1/faults/{await _number(ask, name)}"))
        event = str(found.get("last_event_id", ""))
    curl = await _told(ask.text(f"/events/{event}/curl"))
    test = await _told(ask.text(f"/events/{event}/pytest"))
    head = f"Read it before you run it: it sends event {event}'s request again. {answers.data_not_orders}"
    both = f"{head}\n\n{answers.fence(curl.splitlines())}\n{answers.fence(test.splitlines())}"
    return answers.within(both, answers.tokens_max)


async def update_fault(ask: Asking, name: str, state: State | None, assign: str, comment: str) -> str:
    """Whatever is given, in this order: the comment first, so that what is done stands behind its reason."""
    if state is None and not assign.strip() and not comment.strip():
        raise ToolError("say what to do: a state, assign, or a comment")
    number, said = await _number(ask, name), list[str]()
    if comment.strip():
        await _told(ask.post(f"/api/v1/faults/{number}/comments", {"body": comment}))
        said.append("the comment is written")
    if assign.strip():
        await _told(ask.post(f"/api/v1/faults/{number}/acts", {"act": "assign", "owner": _owner(assign)}))
        said.append(f"assigned to {assign.strip()}")
    if state is not None:
        found = await _told(ask.change(f"/api/v1/faults/{number}", {"state": state}))
        said.append(f"{found.get('state', state)} now")
    return f"Fault {number} is {'; '.join(said)}: {ask.url}/faults/{number}"


def _owner(assign: str) -> dict[str, str] | None:
    name = assign.strip()
    if name == "nobody":
        return None
    team = name.startswith("team:")
    return {"name": name.removeprefix("team:").strip(), "kind": "team" if team else "member"}


def diagnose(text: str) -> str:
    return pasted.diagnosed(text)


def reference_of(name: str) -> str:
    """The 32 digits in a reference, a urn or an event's URL; empty when there are none."""
    bare = name.strip().lower()
    path = urlsplit(bare).path if "://" in bare else bare
    found = _HEX.search(path.replace("-", ""))
    return found[0] if found and "/faults/" not in path else ""


async def _number(ask: Asking, name: str) -> int:
    """The fault's number. Raises ToolError when the name is none, or nothing is known by it."""
    reference = reference_of(name)
    if reference:
        found = await _told(ask.json(f"/api/v1/events/{quote(reference)}"))
        if not isinstance(found.get("fault"), int):
            raise ToolError(f"event {reference} could not be read when it arrived; it belongs to no fault")
        return int(found["fault"])
    match = re.search(r"(?:^#?|/faults/)(\d{1,15})(?:\.md)?/?$", name.strip())
    if match is None:
        raise ToolError(f"{name[:100]!r} is no fault: give its number, a 32-digit reference, or the URL of its page")
    return int(match[1])


async def _told(asked: Any) -> Any:
    try:
        return await asked
    except Refused as e:
        raise ToolError(str(e)) from e
