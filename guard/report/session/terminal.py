"""The Markdown of a session as plain text, for a terminal: what only a browser shows is taken out of it."""

from __future__ import annotations

import html
import re
from typing import Final

_FENCE: Final = re.compile("(`{3,})text")
_CODE: Final = re.compile("(`[^`]*`)")
_TAGS: Final = re.compile("</?(?:code|details|summary)>")


def terminal(markdown: str) -> str:
    """A page that `guard.report.session.markdown` wrote, without tags and with each character as itself. What is
    literal in it stays as it is."""
    lines: list[str] = []
    fence = ""
    for line in markdown.splitlines():
        if fence:
            fence = "" if line == fence else fence
            lines.append(line)
            continue
        match = _FENCE.fullmatch(line)
        fence = match[1] if match is not None else ""
        shown = "".join(part if part.startswith("`") else _plain(part) for part in _CODE.split(line))
        if shown or lines[-1:] != [""]:  # where a tag stood alone there is one blank line too many
            lines.append(shown)
    return "\n".join(lines).rstrip("\n") + "\n"


def _plain(text: str) -> str:
    # `escape` writes every `<` and `&` of foreign text as a number, so each tag here is a tag.
    return html.unescape(_TAGS.sub("", text)).replace("\u200b", "")
