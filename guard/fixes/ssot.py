"""The way back for copies: a definition becomes an import of the canonical one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from guard.fixes import Fixer, Refused
from guard.model import Finding


def mend(content: bytes, findings: Sequence[Finding]) -> bytes | Refused:
    """The file without the definitions at fault, their names imported behind the imports at its top."""
    # libcst takes a tenth of a second to import.
    from guard.fixes.rewriting.definitions import mend_definitions
    from guard.fixes.rewriting.source import CannotEdit, Source

    try:
        source = Source(content)
        return source.edited(mend_definitions(source, findings))
    except CannotEdit as error:
        return Refused(str(error))


FIXES: Final[Mapping[str, Fixer]] = {"SSOT001": mend}
