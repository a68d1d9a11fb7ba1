"""What a format may know beside the report itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from guard.registry import Rule


class RenderContext(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a format is given. A format reads nothing else: no file, no clock, no environment."""

    rules: Mapping[str, Rule] = msgspec.field(default_factory=dict)
    """The rules that were on, by code: their documentation is the help of SARIF."""
    sources: Mapping[str, str] = msgspec.field(default_factory=dict)
    """Texts of the files that findings stand in, by path, for code frames. A file may be lacking."""
    statistics: bool = False
    """Whether the text format ends with counts per rule."""
    color: bool = False
    """Whether the text format may colour its output (ANSI, sixteen colours)."""
    width: int = 80
    """Columns of the terminal, for the text format."""
    limit: int = 10
    """How many findings of one rule and impact the text format shows before it counts the rest; 0 shows all."""
    sarif_results: int = 5000
    """Most results in a SARIF run; 0 for no limit. GitHub shows 5,000 of a run and refuses more than 25,000."""
    markdown_chars: int = 60_000
    """Longest Markdown output. GitHub refuses a comment of more than 65,536 characters."""
