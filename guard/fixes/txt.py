"""Mending text."""

from __future__ import annotations

import codecs
from collections.abc import Mapping, Sequence
from typing import Final

from guard.fixes import Fixer, Refused
from guard.model import Finding


def without_bom(content: bytes, findings: Sequence[Finding]) -> bytes | Refused:
    """The content without its UTF-8 byte order mark; refused for the wider encodings, which need a conversion."""
    if not content.startswith(codecs.BOM_UTF8):
        return Refused("it is not UTF-8")
    return content[len(codecs.BOM_UTF8) :]


FIXES: Final[Mapping[str, Fixer]] = {"TXT002": without_bom}
