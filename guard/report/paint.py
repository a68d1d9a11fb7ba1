"""Colour for the text format: the layout is made first, so coloured and plain output differ in nothing else."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from guard.model import Severity

Paint = Callable[[str, str], str]
"""Takes a text and the name of a style, gives the text as it is written."""

SEVERITY_STYLE = {Severity.ERROR: "bold red", Severity.WARNING: "bold yellow", Severity.INFO: "bold cyan"}


def plain(text: str, _style: str) -> str:
    """The text alone."""
    return text


@cache
def _colored() -> Paint:
    # rich is imported only for a terminal: a run in CI does not pay for it.
    from rich.color import ColorSystem
    from rich.style import Style

    def paint(text: str, style: str) -> str:
        return Style.parse(style).render(text, color_system=ColorSystem.STANDARD)

    return paint


def painter(color: bool) -> Paint:
    """`plain`, or rich's styles as ANSI sequences in the terminal's own sixteen colours."""
    return _colored() if color else plain
