"""What the `conftest.py` files of a tree tell pytest: what not to collect, and which plugins to load."""

from __future__ import annotations

import ast
import posixpath
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

import msgspec

from guard.checks.roots import parent_of
from guard.families import Family
from guard.listeners import Listeners
from guard.parse import Parsed
from guard.scopes import Scope, constant_truth, dotted
from guard.versions import version_truth

if TYPE_CHECKING:
    from guard.program import Program

_NAMES: Final = frozenset({"collect_ignore", "collect_ignore_glob"})
_PLUGINS: Final = "pytest_plugins"


class Ignored(msgspec.Struct, frozen=True, array_like=True):
    """One entry of `collect_ignore` or `collect_ignore_glob`."""

    name: str
    """A path or a pattern of paths, from the folder of the `conftest.py`."""
    is_pattern: bool
    depends: bool
    """It is there under a condition that holds, or may hold, on the deployed Python."""


class Plugin(msgspec.Struct, frozen=True, array_like=True):
    """One module that `pytest_plugins` names."""

    module: str
    depends: bool
    """It is there under a condition that holds, or may hold, on the deployed Python."""


class CollectingFacts(msgspec.Struct, frozen=True, array_like=True):
    """The entries of one file."""

    ignored: tuple[Ignored, ...]
    plugins: tuple[Plugin, ...] = ()


class Collecting:
    """What pytest does not collect in one tree, and what it loads before it collects."""

    def __init__(self, program: Program) -> None:
        self._facts = program.facts(FAMILY)

    def ignores(self, path: str) -> bool:
        """Whether pytest does not collect a file, or perhaps not."""
        return any(True for _ in self._entries(path))

    def depends(self, path: str) -> bool:
        """Whether some condition decides that a file is left out, as one does that asks for the version of Python."""
        return any(entry.depends for entry in self._entries(path))

    def plugins_of(self, path: str) -> tuple[Plugin, ...]:
        """The plugins that pytest loads once it has imported the `conftest.py` or plugin at `path`."""
        facts = self._facts.get(path)
        return facts.plugins if facts is not None else ()

    def _entries(self, path: str) -> Iterator[Ignored]:
        """The entries that leave out a file, or a folder that it is in."""
        folder = path
        while folder:
            folder = parent_of(folder)
            facts = self._facts.get(f"{folder}/conftest.py" if folder else "conftest.py")
            for entry in facts.ignored if facts is not None else ():
                below = path[len(folder) + 1 :] if folder else path
                if entry.is_pattern:
                    # pytest holds the pattern against the whole path, and `*` there is any number of folders.
                    if any(fnmatchcase(part, entry.name) for part in _with_folders(below)):
                        yield entry
                elif below == entry.name or below.startswith(f"{entry.name}/"):
                    yield entry


def _with_folders(path: str) -> Iterator[str]:
    while path:
        yield path
        path = parent_of(path)


class _Collector:
    """Looks at one file when the walk is over; few have any such list."""

    def __init__(self, parsed: Parsed) -> None:
        self._target = parsed.target
        self._concerned = b"collect_ignore" in parsed.content or b"pytest_plugins" in parsed.content

    def listen(self, to: Listeners) -> None:
        """It asks for nothing."""

    def finish(self, module: Scope) -> CollectingFacts | None:
        """The entries; None where there are none."""
        if not self._concerned or not isinstance(module.node, ast.Module):
            return None
        found = tuple(self._entries(module.node.body, depends=False))
        ignored = tuple(entry for entry in found if isinstance(entry, Ignored))
        return CollectingFacts(ignored, tuple(entry for entry in found if isinstance(entry, Plugin))) if found else None

    def _entries(self, body: list[ast.stmt], *, depends: bool) -> Iterator[Ignored | Plugin]:
        for statement in body:
            if isinstance(statement, ast.If):
                truth = constant_truth(statement.test)
                decided = version_truth(statement.test, self._target) if truth is None else truth
                if decided is not False:
                    yield from self._entries(statement.body, depends=depends or truth is None)
                if decided is not True:
                    yield from self._entries(statement.orelse, depends=depends or truth is None)
            elif isinstance(statement, ast.Try):
                for block in (statement.body, *(handler.body for handler in statement.handlers), statement.orelse):
                    yield from self._entries(block, depends=True)
            else:
                yield from _added(statement, depends)


def _added(statement: ast.stmt, depends: bool) -> Iterator[Ignored | Plugin]:
    """The entries that a plain statement makes: an assignment, `+=`, `.append(…)`, `.extend(…)`."""
    target: ast.expr | None = None
    value: ast.expr | None = None
    if isinstance(statement, ast.Assign):
        target, value = statement.targets[0], statement.value
    elif isinstance(statement, (ast.AugAssign, ast.AnnAssign)):
        target, value = statement.target, statement.value
    elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        call = statement.value
        if isinstance(call.func, ast.Attribute) and call.func.attr in ("append", "extend") and call.args:
            target, value = call.func.value, call.args[0]
    name = dotted(target)
    if (name in _NAMES or name == _PLUGINS) and value is not None:
        for node in value.elts if isinstance(value, (ast.List, ast.Tuple)) else [value]:
            if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
                continue
            if name == _PLUGINS:
                # pytest takes a string apart at its commas.
                yield from (Plugin(module.strip(), depends) for module in node.value.split(",") if module.strip())
            else:
                yield Ignored(posixpath.normpath(node.value), name.endswith("_glob"), depends)


FAMILY: Final[Family[CollectingFacts, Collecting]] = Family(
    "collecting", 2, CollectingFacts, Collecting, see_python=_Collector, letters=("IMP", "SYN", "TXT")
)
"""The files that pytest leaves out, and the plugins that it loads."""
