"""Adding a field that is used and not there: the file of the class is changed, not that of the finding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from guard.fixes import Fixer, Refused
from guard.model import Finding


def mend(content: bytes, findings: Sequence[Finding]) -> bytes | Refused:
    """The file with the missing fields in their classes, and in the `to_dict` that lists the fields by hand."""
    from guard.fixes.rewriting.fields import mend_fields
    from guard.fixes.rewriting.source import CannotEdit, Source

    try:
        source = Source(content)
        return source.edited(mend_fields(source, findings))
    except CannotEdit as error:
        return Refused(str(error))


FIXES: Final[Mapping[str, Fixer]] = {"DCF001": mend}
