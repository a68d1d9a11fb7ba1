"""The way back for broken imports: names are taken from where they are today.

A finding's data say where that is. `moved_to` has, for each name that an import takes, `MODULE:NAME` as an import in
that file would write it; for a module of `import a.b` the module; for a string the new string; and for an entry of
`__all__` what it becomes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from guard.fixes import Fixer, Refused
from guard.model import Finding


def mend(content: bytes, findings: Sequence[Finding]) -> bytes | Refused:
    """The file with every import at fault taken from its new place; names that it binds stay as they are."""
    # libcst takes a tenth of a second to import.
    from guard.fixes.rewriting.exports import mend_exports
    from guard.fixes.rewriting.imports import mend_imports
    from guard.fixes.rewriting.source import CannotEdit, Edit, Source, edited
    from guard.fixes.rewriting.strings import mend_strings

    strings = [finding for finding in findings if finding.code == "IMP006"]
    exports = [finding for finding in findings if finding.code == "IMP010"]
    imports = [finding for finding in findings if finding.code not in ("IMP006", "IMP010")]
    try:
        if len(strings) == len(findings) and not findings[0].path.endswith((".py", ".pyi")):
            text = content.decode("utf-8", "surrogateescape")
            return edited(text, mend_strings(text, strings)).encode("utf-8", "surrogateescape")
        source = Source(content)
        edits: list[Edit] = [*mend_strings(source.text, strings), *mend_exports(source, exports)]
        return source.edited([*edits, *mend_imports(source, imports)])
    except CannotEdit as error:
        return Refused(str(error))


FIXES: Final[Mapping[str, Fixer]] = dict.fromkeys(("IMP001", "IMP002", "IMP006", "IMP007", "IMP010"), mend)
