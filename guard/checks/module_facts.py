"""What is remembered of one module: the names it binds and exports, and its imports."""

from __future__ import annotations

from functools import cached_property
from typing import Final

import msgspec

from guard.checks.packing import unpack
from guard.checks.references import Ref

# Flags of a `Name`
SOLID: Final = 1
"""Bound by something else than an import, certainly or in a branch."""
TYPING_ONLY: Final = 2
"""Bound only under TYPE_CHECKING."""
UNBOUND: Final = 4
"""Declared without a value, deleted, or bound only while a handler runs: reading it raises."""
REBOUND: Final = 8
"""Bound more than once, or in a branch: what it stands for is not certain."""
CLASS: Final = 16
FUNCTION: Final = 32
MAYBE: Final = 64
"""There is a way through the module that leaves it unbound."""
ANY_TIME: Final = 128
"""May be bound before its line too: by a function that is called, or by what was deleted since."""

# Flags of an `Import`
LAZY: Final = 1
"""In a function: runs when called."""
TYPING: Final = 2
DEAD: Final = 4
PLATFORM: Final = 8
MAIN: Final = 16
ASSERTED: Final = 32
"""Its failure is what is asserted, or its presence is asked for first."""
BRANCHED: Final = 64
"""In a branch, a loop or a handler, so it need not run when its scope does. The body of a `try` is none of them."""
CONDITIONAL: Final = 256
"""In a branch, a loop, a `try` with handlers, a handler: it may not run where the code around it does."""


class Origin(msgspec.Struct, frozen=True, array_like=True):
    """Where an import takes a name from. `name` is empty when the module itself is bound."""

    level: int
    module: str
    name: str
    guarded: bool = False


class Name(msgspec.Struct, frozen=True, array_like=True):
    """One name of a module's namespace."""

    flags: int
    line: int
    origins: tuple[Origin, ...] = ()


class Alias(msgspec.Struct, frozen=True, array_like=True):
    """One name of an import statement, with its place (columns in UTF-8 bytes, from 1)."""

    name: str
    asname: str
    line: int
    column: int
    end_line: int
    end_column: int

    @property
    def bound(self) -> str:
        """The name that it binds, for `from … import`."""
        return self.asname or self.name


class Import(msgspec.Struct, frozen=True, array_like=True):
    """One import statement. `level` is -1 for `import a.b`; else the number of dots of `from … import`."""

    level: int
    module: str
    aliases: tuple[Alias, ...]
    line: int
    column: int
    end_line: int
    end_column: int
    symbol: str
    flags: int
    guards: tuple[int, ...] = ()
    """Indices into `ModuleFacts.guards`, innermost last."""

    @property
    def modules(self) -> tuple[str, ...]:
        """The modules that it names."""
        return (self.module,) if self.level >= 0 else tuple([alias.name for alias in self.aliases])


class GuardFact(msgspec.Struct, frozen=True, array_like=True):
    """A `try` or `suppress` around imports."""

    kind: str
    line: int
    catches: tuple[str, ...]
    """Dotted names of the exceptions; empty catches all."""
    handler_line: int
    reraises: bool
    """Every handler ends by raising, so nothing is swallowed."""
    retries: bool
    """A handler imports something itself: an alternative, not a silent loss."""
    leaves: bool = False
    """Nothing behind it runs once a handler does: each of them skips the module, ends the process or raises."""


class Exported(msgspec.Struct, frozen=True, array_like=True):
    """One literal name in `__all__`."""

    name: str
    line: int
    column: int
    end_column: int
    certain: bool = True
    """Not added in a branch, which may be the one that also binds the name."""


class SysPath(msgspec.Struct, frozen=True, array_like=True):
    """A folder that the file puts on `sys.path`: `up` folders above the file (-1: the working folder), then `rest`."""

    up: int
    rest: str


class ModuleFacts(msgspec.Struct, frozen=True, array_like=True, dict=True):
    """One module's namespace and imports."""

    bound: msgspec.Raw
    """`names`, packed."""
    defined: msgspec.Raw
    """The names of its classes and functions, packed."""
    imports: tuple[Import, ...]
    stars: tuple[Origin, ...] = ()
    guards: tuple[GuardFact, ...] = ()
    exports: tuple[Exported, ...] | None = None
    """The literal names of `__all__`; None where the module has none."""
    exports_open: bool = False
    """`__all__` is computed, so it may hold more."""
    open: str = ""
    """Why any name may be bound here; empty for a module that says all that it binds."""
    extends_path: bool = False
    main: bool = False
    """Has an `if __name__ == "__main__"`."""
    sys_path: tuple[SysPath, ...] = ()
    provides: tuple[str, ...] = ()
    """Dotted modules that it puts into `sys.modules` when it is imported."""
    provides_later: tuple[str, ...] = ()
    """Those that a function of it puts there: known to hold for the file itself only."""
    injects: bool = False
    """Binds names in modules that it does not name: `setattr(sys.modules[…], …)`."""
    plants: tuple[tuple[Ref, str], ...] = ()
    """Attributes that it sets on other modules when it is imported: `module.name = …`."""
    handed_to: tuple[Ref, ...] = ()
    """Functions that it calls with its own `__name__` when it is imported."""
    skips: tuple[str, ...] = ()
    """Modules named in `pytest.importorskip`."""
    alternatives: tuple[tuple[int, int], ...] = ()
    """Imports that run only when others have failed: places in `imports`, with the place in `guards` of what catches
    the failure of the others."""

    @cached_property
    def names(self) -> dict[str, Name]:
        """What the module's namespace holds. Most modules are never asked."""
        return unpack(self.bound, dict[str, Name])

    def may_bind(self, name: bytes) -> bool:
        """Whether the namespace may hold a name, told without unpacking it."""
        return name in bytes(self.bound)

    @property
    def definitions(self) -> tuple[str, ...]:
        """The names of its classes and functions."""
        return unpack(self.defined, tuple[str, ...])
