"""Source code as HTML: one string a line, with classes for the few kinds of token that are worth a colour.

The lines come from events, so they are hostile until they are escaped, and they are fragments: they may begin in the
middle of a string. Highlighting is a help, never a condition: what is too long or unknown is shown plain.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from markupsafe import Markup, escape
from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name
from pygments.token import Comment, Keyword, Name, Number, Operator, String, _TokenType

from fivehundred import limits

# by the end of the file's name, then by the event's platform
_LANGUAGES: Final = {
    ".py": "python", ".js": "javascript", ".mjs": "javascript", ".cjs": "javascript", ".ts": "typescript",
    ".tsx": "typescript", ".jsx": "javascript", ".go": "go", ".java": "java", ".kt": "kotlin", ".rb": "ruby",
    ".php": "php", ".cs": "csharp", ".rs": "rust", ".ex": "elixir", ".html": "html+jinja", ".sql": "sql",
}  # fmt: skip
_PLATFORMS: Final = {
    "python": "python", "javascript": "javascript", "node": "javascript", "go": "go", "java": "java", "ruby": "ruby",
    "php": "php", "csharp": "csharp", "rust": "rust", "elixir": "elixir",
}  # fmt: skip
# two letters at most: they stand in the page thousands of times. What is missing here has the colour of text
_CLASSES: Final = (
    (Comment, "c"), (String, "s"), (Number, "n"), (Keyword.Constant, "n"), (Keyword, "k"), (Operator.Word, "k"),
    (Name.Decorator, "d"), (Name.Function, "f"), (Name.Class, "f"), (Name.Builtin.Pseudo, "b"), (Name.Exception, "b"),
)  # fmt: skip


def lines(source: Sequence[str], *, filename: str, platform: str) -> list[Markup]:
    """Each line escaped and coloured; as many come back as went in."""
    plain = [escape(line) for line in source]
    if sum(map(len, source)) > limits.highlight_chars_max:
        return plain
    name = next((v for k, v in _LANGUAGES.items() if filename.endswith(k)), _PLATFORMS.get(platform, ""))
    if not name:
        return plain
    coloured = _coloured("\n".join(line.replace("\n", " ").replace("\r", " ") for line in source), name)
    return list(coloured) if len(coloured) == len(source) else plain


def sql(statement: str) -> Markup:
    """One SQL statement, on as many lines as it has."""
    if len(statement) > limits.highlight_chars_max:
        return escape(statement)
    return Markup("\n").join(_coloured(statement, "sql"))


@lru_cache(maxsize=limits.highlights_kept_max)
def _coloured(text: str, language: str) -> tuple[Markup, ...]:
    """Kept, for the events of a fault show the same lines again and again."""
    parts: list[str] = []
    for kind, value in _lexer(language).get_tokens(text):
        css = _css(kind)
        for piece in _pieces(value):
            if piece == "\n" or not css or not piece.strip():
                parts.append(str(escape(piece)))
            else:
                parts.append(f'<i class="{css}">{escape(piece)}</i>')
    return tuple(Markup(line) for line in "".join(parts).split("\n"))  # noqa: S704 - each piece was escaped


def _pieces(value: str) -> list[str]:
    """A token cut at its newlines, so that each line is whole HTML of its own."""
    if "\n" not in value:
        return [value]
    found: list[str] = []
    for line in value.split("\n"):
        found += [line, "\n"]
    return found[:-1]


@lru_cache(maxsize=200)
def _css(kind: _TokenType) -> str:
    return next((css for parent, css in _CLASSES if kind[: len(parent)] == parent), "")


@lru_cache(maxsize=20)
def _lexer(language: str) -> Lexer:
    lexer: Lexer = get_lexer_by_name(language, stripnl=False, ensurenl=False)
    return lexer
