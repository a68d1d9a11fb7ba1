"""The way back for broken imports: names are taken from where they are today.

A finding's data say where that is. `moved_to` has, for each name that an import takes, `MODULE:NAME` as an import in
that file would write it; for a module of `import a.b` the module; for a string the new string.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from guard.fixes import Fixer, Refused
from guard.model import Finding


def mend(content: bytes, findings: Sequence[Finding]) -> bytes | Refused:
    """The file with every import at fault taken from its new place; names that it binds stay as they are."""
    from guard.fixes.rewriting.imports import mend_imports  # libcst takes a tenth of a second to import
    from guard.fixes.rewriting.source import CannotEdit, Source

    try:
        source = Source(content)
        return source.edited(mend_imports(source, findings))
    except CannotEdit as error:
        return Refused(str(error))


FIXES: Final[Mapping[str, Fixer]] = {"IMP001": mend, "IMP002": mend, "IMP007": mend}
