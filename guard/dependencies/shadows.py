"""Files of the tree that hide a module of the standard library, or of a dependency, from a process that means it.

A process looks first into the folder of the script that it was started with, and one that a server was asked to load is
looked for first in the folder that the server stands in. Everything that the process imports is then found there before
anywhere else, whoever imports it.
"""

from __future__ import annotations

import ast
import posixpath
import warnings
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Final

import msgspec

from guard.checks.broken_imports import swallowed_by
from guard.checks.distributions import known
from guard.checks.layout import Missing, Target
from guard.checks.module_facts import ASSERTED, DEAD, PLATFORM, TYPING, Import
from guard.checks.projects import projects_of
from guard.checks.standard_library import change_of, is_standard
from guard.dependencies.imports import ImportsOut, imports_out
from guard.impact import reached
from guard.model import Impact
from guard.parse import parse
from guard.program import Program

_NEVER_HIDDEN: Final = frozenset(
    {
        *("abc", "codecs", "io", "os", "site", "stat", "posixpath", "ntpath", "genericpath", "zipimport", "runpy"),
        *(
            "encodings",
            "importlib",
            "_collections_abc",
            "_sitebuiltins",
            "sitecustomize",
            "usercustomize",
            "__future__",
        ),
        *("array", "binascii", "cmath", "fcntl", "grp", "math", "mmap", "resource", "select", "syslog", "termios"),
        *(
            "unicodedata",
            "zlib",
            "pwd",
            "errno",
            "time",
            "itertools",
            "gc",
            "signal",
            "atexit",
            "faulthandler",
            "__main__",
        ),
        *("builtins", "sys", "marshal", "_thread", "_imp", "_io", "_ast", "_sre", "_signal", "_warnings", "_weakref"),
    }
)
"""Modules that are there before the first line of a script runs, are frozen, or are built in on some systems."""
_SERVERS_HAVE: Final = frozenset({"uvicorn", "gunicorn", "hypercorn", "celery", "click", "h11", "packaging", "kombu"})
"""Modules that a server has imported before it looks for the application."""
_MOVES_PATH: Final = (
    *(b"sys.path.pop", b"sys.path.remove", b"sys.path =", b"sys.path[0] =", b"sys.path[:]", b"sys.path[0:]"),
)


class Shadow(msgspec.Struct, frozen=True):
    """One file that hides a module, and one importer that gets it instead."""

    path: str
    name: str
    """The module that it hides."""
    standard: bool
    importer: str
    line: int
    wanted: str
    """What the importer needs of the module, and the file has not."""
    start: str
    """The file with which the process begins."""


class _Process(msgspec.Struct, frozen=True, order=True):
    """One way in which a process begins: the folder that it looks into first, and what it executes."""

    folder: str
    start: str
    served: bool
    """A server loads it, so that the standard library's modules are there before it."""


def shadows(program: Program) -> Iterator[Shadow]:
    """Every file that hides a module from some importer, once each, in order of path."""
    search = _Search(program)
    found: dict[str, Shadow] = {}
    for process in sorted(search.processes()):
        for shadow in search.shadows_in(process):
            found.setdefault(shadow.path, shadow)
    yield from (found[path] for path in sorted(found))


class Shadowed(msgspec.Struct, frozen=True, array_like=True):
    """What `shadows` looks at."""

    paths: frozenset[str]
    """The files that a process executes in whose folder something is hidden, and those that hide it."""
    folders: frozenset[str]
    """The folders in which something is hidden from what is started there."""


def shadowed_in(program: Program) -> Shadowed:
    """The files and folders on which it depends what `shadows` finds."""
    search = _Search(program)
    folders = frozenset(folder for folder in search.folders if search.hidden_in(folder))
    paths = {target.path for folder in folders for target in search.hidden_in(folder).values()}
    for process in search.processes():
        paths |= reached([process.start], search.modules)
    return Shadowed(frozenset(paths), folders)


class _Search:
    def __init__(self, program: Program) -> None:
        self._program = program
        self._imports: ImportsOut = imports_out(program)
        self.modules = self._imports.modules
        self._hidden: dict[str, Mapping[str, Target]] = {}
        self._uses: dict[tuple[str, str], frozenset[str]] = {}

    def processes(self) -> set[_Process]:
        """How processes of the tree begin: scripts by their path, and what servers load."""
        layout, reach = self.modules.layout, self._imports.reach
        found = {_Process(posixpath.dirname(path), path, served=False) for path in reach.scripts}
        # A folder whose files import one another by dots is a package, with or without an `__init__.py`.
        related = {
            posixpath.dirname(path)
            for path, facts in self.modules.facts.items()
            if any(statement.level == 1 for statement in facts.imports)
        }
        for path, facts in self.modules.facts.items():
            folder = posixpath.dirname(path)
            if not facts.main or path.endswith("__main__.py") or reach.kind(path) is Impact.TESTS:
                continue
            if folder not in layout.packages and folder not in related and not layout.is_imported_from_above(folder):
                found.add(_Process(folder, path, served=False))
        for entry in reach.entry_points:
            if entry.module and posixpath.basename(entry.path) not in ("pyproject.toml", "setup.py", "setup.cfg"):
                resolution = self.modules.resolve(entry.path or "guard.toml", 0, entry.module)
                for target in resolution.targets[:1]:
                    if target.kind in ("module", "package") and resolution.roots:
                        found.add(_Process(resolution.roots[0], target.path, served=True))
        return {process for process in found if self.hidden_in(process.folder)}

    def hidden_in(self, folder: str) -> Mapping[str, Target]:
        """The modules of a folder that have the name of one of the standard library's or a dependency's."""
        if folder not in self._hidden:
            self._hidden[folder] = dict(self._find_hidden(folder))
        return self._hidden[folder]

    def _find_hidden(self, folder: str) -> Iterator[tuple[str, Target]]:
        prefix = f"{folder}/" if folder else ""
        view = None
        for name in sorted(self._names_in(folder)):
            target = self.modules.layout.step(folder, name)
            if target is None or target.kind not in ("module", "package") or target.path.endswith(".pyi"):
                continue
            if is_standard(name):
                if name not in _NEVER_HIDDEN and change_of(name, self._program.target.version) is None:
                    yield name, target
                continue
            providers = known().providers_of(name)
            if providers:
                view = view or projects_of(self._program).view_of(f"{prefix}x.py")
                if not view.asked.keys().isdisjoint(providers):
                    yield name, target

    def _names_in(self, folder: str) -> Iterable[str]:
        return self._by_folder.get(folder, ())

    @property
    def folders(self) -> Iterable[str]:
        """The folders with modules or packages in them."""
        return self._by_folder

    @cached_property
    def _by_folder(self) -> Mapping[str, set[str]]:
        """The names of modules and packages, by folder."""
        found: dict[str, set[str]] = {}
        for path in self.modules.facts:
            above, _, name = path.rpartition("/")
            if name == "__init__.py":
                above, _, name = above.rpartition("/")
            found.setdefault(above, set()).add(name.removesuffix(".py"))
        return found

    # Importers

    def shadows_in(self, process: _Process) -> Iterator[Shadow]:
        """The files that hide a module in one process."""
        hidden = self.hidden_in(process.folder)
        if self._moves_path(process.start):
            return
        for path in sorted(reached([process.start], self.modules)):
            facts = self.modules.facts.get(path)
            own = self.modules.layout.roots.own(path)
            for statement in facts.imports if facts is not None else ():
                if statement.level > 0 or statement.flags & (TYPING | DEAD | PLATFORM | ASSERTED):
                    continue
                for name in {module.partition(".")[0] for module in statement.modules} & hidden.keys():
                    target = hidden[name]
                    standard = is_standard(name)
                    if process.served and (standard or name in _SERVERS_HAVE):
                        continue
                    if any(self.modules.layout.step(root, name) is not None for root in own if root != process.folder):
                        continue
                    if facts is not None and any(swallowed_by(facts.guards[number]) for number in statement.guards):
                        continue
                    wanted = self._lacks(path, statement, name, target)
                    if wanted:
                        yield Shadow(target.path, name, standard, path, statement.line, wanted, process.start)

    def _lacks(self, path: str, statement: Import, name: str, target: Target) -> str:
        """What an importer needs of a module and the file of that name has not; empty where nothing is known."""
        for module in statement.modules:
            top, _, below = module.partition(".")
            if top != name:
                continue
            if below:
                folder = self.modules.layout.folder_of(target)
                if folder is None:
                    facts = self.modules.facts.get(target.path)
                    return module if facts is not None and not facts.open and not facts.extends_path else ""
                if isinstance(self.modules.layout.descend(folder, below.split(".")), Missing):
                    return module
                continue
            if statement.level == 0:
                lacking = [alias.name for alias in statement.aliases if alias.name != "*"]
            else:
                alias = next(alias for alias in statement.aliases if alias.name == module)
                lacking = sorted(self._used(path, alias.asname or module))
            for attribute in lacking:
                if not self.modules.binds(target, attribute):
                    return f"{name}.{attribute}"
        return ""

    def _used(self, path: str, name: str) -> frozenset[str]:
        """The attributes that a file reads of a name."""
        key = (path, name)
        if key not in self._uses:
            found: set[str] = set()
            for _, content in self._program.tree.read_many([path]):
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    tree = parse(content, "python").tree
                for node in ast.walk(tree) if tree is not None else ():
                    if (
                        isinstance(node, ast.Attribute)
                        and isinstance(node.ctx, ast.Load)
                        and isinstance(node.value, ast.Name)
                        and node.value.id == name
                    ):
                        found.add(node.attr)
            self._uses[key] = frozenset(found)
        return self._uses[key]

    def _moves_path(self, path: str) -> bool:
        """Whether a script takes folders from the front of `sys.path`."""
        read = self._program.tree.read_many([path])
        return any(word in content for _, content in read for word in _MOVES_PATH)
