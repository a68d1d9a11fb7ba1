"""What the files of a tree say together, for a program that does not look at each of them.

A run that judges only some files has it from an earlier run on a tree that differs in few, and where those say the
same. All of it is what `Modules` and what it stands on compute by themselves in a run that looks at every file.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from guard.checks.given_names import GivenName


class Whole(msgspec.Struct, frozen=True, array_like=True):
    """Facts of the module table that no single file has."""

    provided: frozenset[str]
    """Dotted modules that some module puts into `sys.modules` when it is imported."""
    injectors: frozenset[str]
    """The files that bind names in modules that they do not name."""
    planted: frozenset[tuple[str, str]]
    """The names that some module sets on another one, by the other one's file."""
    on_sys_path: Mapping[str, tuple[str, ...]]
    """The folders of the tree that each file puts on `sys.path`, in the order of the files."""
    used: frozenset[tuple[str, str]]
    """The roots through which imports lead to something below a top-level name, with that name."""
    builtins: frozenset[str] = frozenset()
    """Names that some file puts into builtins."""
    given: frozenset[GivenName] = frozenset()
    """Names that some file gives to modules of which nobody knows which ones they are."""
    texts: frozenset[str] = frozenset()
    """The files whose text has something remarkable: those of which the family of texts has facts."""
