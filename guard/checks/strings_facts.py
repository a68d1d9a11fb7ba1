"""What is remembered of the strings in one file that name modules and attributes, for somebody else to resolve."""

from __future__ import annotations

from typing import Final

import msgspec

from guard.checks.references import Ref

# Ways in which a string is resolved
PATCH: Final = 0
"""Modules as far as they go, then attributes; the last part is replaced. A builtin may be replaced in any module."""
OBJECT: Final = 1
"""Modules as far as they go, then attributes."""
IMPORT: Final = 2
"""All parts are modules."""
SERVED: Final = 3
"""`module:attribute`."""
RUN: Final = 4
"""A module that is executed by `python -m`: of a package, its `__main__`."""

# Flags of a `StringUse`
MAY_CREATE: Final = 1
"""The last part need not be there: `create=True`, `raising=False`."""
LAST_ONLY: Final = 2
"""Only the last part is judged here; what is before it stands in a string of its own, or is no string."""
LAZY: Final = 4
"""In a function: resolved when called."""
SURE_TO_RUN: Final = 8
"""Resolved whenever the module is imported."""

SELF: Final = Ref(0, "", "")
"""Stands for the file's own module: `__name__`."""


class StringUse(msgspec.Struct, frozen=True, array_like=True):
    """One string that names something, with its place (columns in UTF-8 bytes, from 1)."""

    api: str
    """What resolves it, as it is told to people: `mock.patch`, `INSTALLED_APPS`."""
    way: int
    text: str
    """Dotted, with a colon for SERVED."""
    line: int
    column: int
    end_line: int
    end_column: int
    symbol: str
    flags: int = 0
    base: int = -1
    """Index into `StringsFacts.refs` of what `text` is looked for in; -1 where the string says it all."""
    callee: int = -1
    """Index into `StringsFacts.refs` of the function that resolves it, where another file has to say what that is."""
    swallowed_line: int = 0
    """The line of the handler that swallows the failure; 0 where nothing does."""


NO_CLASSES: Final = msgspec.Raw(b"\x80")
"""An empty dictionary, packed."""


class StringsFacts(msgspec.Struct, frozen=True, array_like=True):
    """The strings of one file, and what the file does that makes them right."""

    uses: tuple[StringUse, ...] = ()
    refs: tuple[Ref, ...] = ()
    provides: tuple[str, ...] = ()
    """Dotted modules that its tests put into `sys.modules`; `*` for names that cannot be told."""
    sets: tuple[str, ...] = ()
    """Attributes that it sets on something, of those that `uses` name. Sorted."""
    classes: msgspec.Raw = NO_CLASSES
    """What its classes bind, by qualified name, packed: see `strings_classes`."""
