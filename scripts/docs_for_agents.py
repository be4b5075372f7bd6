"""MkDocs hook: every page of the site also as Markdown beside it, and llms.txt, which lists them.

llms.txt follows the proposal at llmstxt.org: a title, a summary, and links with a line each.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

_pages: dict[str, tuple[str, str, str]] = {}  # source path -> title, Markdown, first sentence


def on_page_markdown(markdown: str, *, page: Any, config: Any, files: Any) -> str:
    title = re.search(r"^# (.+)$", markdown, re.MULTILINE)
    _pages[page.file.src_uri] = (title[1] if title else page.file.name, markdown, _first_sentence(markdown))
    return markdown


def on_post_build(*, config: Any) -> None:
    site = Path(config["site_dir"])
    lines = [f"# {config['site_name']}", "", f"> {config['site_description']}", ""]
    for part, sources in _parts(config["nav"]):
        lines += [f"## {part}", ""]
        for source in sources:
            title, markdown, first = _pages[source]
            target = site / source
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(markdown, "utf-8")
            lines.append(f"- [{title}]({source}): {first}")
        lines.append("")
    (site / "llms.txt").write_text("\n".join(lines), "utf-8")


def _parts(nav: list[Any]) -> list[tuple[str, list[str]]]:
    """(heading, sources) of the navigation, which is two levels deep."""
    found = []
    for entry in nav:
        ((name, inside),) = entry.items()
        found.append((name, [inside] if isinstance(inside, str) else [v for e in inside for v in e.values()]))
    return found


def _first_sentence(markdown: str) -> str:
    body = re.sub(r"<!--.*?-->|^```.*?^```$", "", markdown, flags=re.DOTALL | re.MULTILINE)
    for block in body.split("\n\n"):
        text = " ".join(block.split())
        if text and not text.startswith(("#", "```", "|", "-", "!", "<", ">")):
            plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
            return re.split(r"(?<=[.:])\s", plain)[0]
    return ""
