"""Imports that work on this disk and nowhere else: what they lead to is not in git."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import msgspec

from guard.checks.broken_imports import BrokenImport, handler_of
from guard.checks.layout import Resolution, Target
from guard.checks.module_facts import ASSERTED, DEAD, PLATFORM, Alias, Import, ModuleFacts
from guard.checks.module_table import Modules
from guard.checks.modules import FAMILY
from guard.checks.roots import parent_of
from guard.program import Program
from guard.sources.tree import PartOfTree

if TYPE_CHECKING:
    from guard.sources.ignored import Ignored

_PASSED_OVER: Final = DEAD | PLATFORM | ASSERTED
_MADE: Final = frozenset({"_version", "version", "__version__", "_build", "_build_info"})
"""Modules that a release makes; most projects have git ignore them."""


class Elsewhere(msgspec.Struct, frozen=True):
    """One import, or one name of one, that leads to a file which is on this disk only."""

    path: str
    statement: Import
    alias: Alias | None
    """The name at fault; None where it is the module of a `from` import."""
    module: str
    """As it is written, without dots in front."""
    name: str
    """The submodule that is taken from `module`; empty where `module` itself is what is not in git."""
    file: str
    ignored: Ignored | None
    """Why git ignores the file; None for one that is untracked."""
    swallowed: bool
    """A handler goes on without it."""

    @property
    def place(self) -> Place:
        """Which import it is."""
        return self.path, self.statement.line, self.statement.column, self.module, self.name


Place = tuple[str, int, int, str, str]


def is_elsewhere(program: Program, broken: BrokenImport) -> bool:
    """Whether a broken import leads to an ignored file on this disk."""
    statement = broken.statement
    place = (broken.path, statement.line, statement.column, broken.module)
    found = elsewhere_of(program)
    return any(one.place[:4] == place and (not broken.name or one.name == broken.name) for one in found)


def leads_elsewhere(program: Program, path: str, statement: Import, module: str) -> bool:
    """Whether a module that an import names is a file on this disk only."""
    place = (path, statement.line, statement.column, module)
    return any(one.place[:4] == place and not one.name for one in elsewhere_of(program))


def elsewhere_of(program: Program) -> tuple[Elsewhere, ...]:
    """Every such import, in order of path and line; found once."""
    found = program.remembered.get("elsewhere")
    if not isinstance(found, tuple):
        modules = program.linked(FAMILY)
        every = [*_untracked(program, modules), *_ignored(program, modules)]
        every.sort(key=lambda one: one.place)
        found = program.remembered["elsewhere"] = tuple(every)
    return found


class Asked(msgspec.Struct, frozen=True):
    """A module that an import names, and how it names it."""

    statement: Import
    alias: Alias | None
    module: str
    name: str


def asked_modules(statement: Import) -> Iterator[Asked]:
    if statement.level < 0:
        yield from (Asked(statement, alias, alias.name, "") for alias in statement.aliases)
        return
    if statement.module:
        yield Asked(statement, None, statement.module, "")
    yield from (Asked(statement, alias, statement.module, alias.name) for alias in statement.aliases)


def _made(path: str, facts: ModuleFacts, asked: Asked, file: str, ignored: Ignored | None) -> Elsewhere | None:
    guard = handler_of(facts, asked.statement, missing_module=not asked.name)
    if guard is None:
        return None
    return Elsewhere(path, asked.statement, asked.alias, asked.module, asked.name, file, ignored, bool(guard[0]))


# Untracked files


def _untracked(program: Program, modules: Modules) -> Iterator[Elsewhere]:
    """Imports of tracked files that lead to an untracked one, and nowhere in a tree without those."""
    untracked = program.tree.untracked & modules.facts.keys()
    if not untracked:
        return
    without: Modules | None = None
    for path, facts in modules.facts.items():
        if path in untracked:
            continue
        for statement in facts.imports:
            if statement.flags & _PASSED_OVER:
                continue
            for asked in asked_modules(statement):
                file = _untracked_file(path, asked, modules, untracked)
                if not file or is_made(asked, modules):
                    continue
                if without is None:
                    without = _without(program, untracked)
                if (
                    not _is_in_tree(path, asked, without)
                    and (found := _made(path, facts, asked, file, None)) is not None
                ):
                    yield found
                if not asked.name:
                    break  # its names are in the same file, or below it


def _untracked_file(path: str, asked: Asked, modules: Modules, untracked: frozenset[str]) -> str:
    """The untracked file that an import leads to; empty where it leads to another, or nobody can tell."""
    target = certain_target(path, asked, modules)
    return target.path if target is not None and target.path in untracked else ""


def certain_target(path: str, asked: Asked, modules: Modules, roots: frozenset[str] = frozenset()) -> Target | None:
    """The one module of the tree that an import of the file `path` certainly leads to; None for a name that its module
    binds itself, and where nobody can tell. `roots` are folders that modules are certainly imported from, beside those
    that are so for the file."""
    statement = asked.statement
    resolution = modules.resolve(path, statement.level, asked.module)
    if len(resolution.targets) != 1 or resolution.doubtful:
        return None
    if statement.level <= 0 and not _is_ours(path, asked.module, resolution, modules, roots):
        return None
    target = resolution.targets[0]
    if not asked.name:
        return target
    facts = modules.facts.get(target.path)
    folder = modules.layout.folder_of(target)
    below = modules.layout.step(folder, asked.name) if folder is not None else None
    return None if below is None or (facts is not None and asked.name in facts.names) else below


def _is_ours(path: str, module: str, resolution: Resolution, modules: Modules, roots: frozenset[str]) -> bool:
    """Whether an absolute import means what it finds here, and not a distribution of that name."""
    if roots.isdisjoint(resolution.roots) and modules.layout.means_namesake(path, module, resolution):
        return False
    certain = {*modules.layout.roots.of(path)[0], *_own_folder(path, modules), *roots}
    return not certain.isdisjoint(resolution.roots) and not modules.layout.asked_for.names(module.partition(".")[0])


def _own_folder(path: str, modules: Modules) -> tuple[str, ...]:
    """The folder of a file that is in no package: Python looks there first when the file is run, and so does pytest."""
    folder = parent_of(path)
    return () if folder in modules.layout.packages else (folder,)


def _without(program: Program, untracked: frozenset[str]) -> Modules:
    files = {path: file for path, file in program.tree.files.items() if path not in untracked}
    seen = {path: facts for path, facts in program.files.items() if path not in untracked}
    return Modules(Program(PartOfTree(program.tree, files), program.config, program.target, seen))


def _is_in_tree(path: str, asked: Asked, modules: Modules) -> bool:
    """Whether an import leads to something in the tree, or may."""
    resolution = modules.resolve(path, asked.statement.level, asked.module)
    if not asked.name:
        return any(map(_is_known, resolution.targets))
    for target in resolution.targets:
        facts = modules.facts.get(target.path)
        folder = modules.layout.folder_of(target)
        below = modules.layout.step(folder, asked.name) if folder is not None else None
        if below is not None or (facts is not None and (facts.open or asked.name in facts.names)):
            return True
    return False


def _is_known(target: Target) -> bool:
    """Whether a target stands for a place in the tree, not only for a module that may be made later."""
    return target.kind != "unknown" or bool(target.path)


def is_made(asked: Asked, modules: Modules) -> bool:
    """Whether an import names a module that a build makes."""
    last = asked.name or asked.module.rpartition(".")[2]
    return last in _MADE or last.endswith(("_pb2", "_pb2_grpc")) or last in modules.layout.builds.mentioned


# Ignored files


def _ignored(program: Program, modules: Modules) -> Iterator[Elsewhere]:
    """Imports that lead nowhere in the tree, and to an ignored file on this disk."""
    tree = program.tree
    if not tree.ignored:
        return
    search = _Search(program, modules)
    found: list[tuple[str, Asked, str]] = []
    for path, facts in modules.facts.items():
        if path in tree.untracked:
            continue
        for statement in facts.imports:
            if statement.flags & _PASSED_OVER:
                continue
            for asked in asked_modules(statement):
                file = search.find(path, asked)
                if file:
                    found.append((path, asked, file))
                    if not asked.name:
                        break
    patterns = tree.ignoring(sorted({file for _, _, file in found}))
    for path, asked, file in found:
        pattern = patterns.get(file)
        if pattern is not None and (one := _made(path, modules.facts[path], asked, file, pattern)) is not None:
            yield one


class _Search:
    """Looks among the ignored files for the modules that imports name."""

    def __init__(self, program: Program, modules: Modules) -> None:
        self._program = program
        self._modules = modules
        ignored = program.tree.ignored
        self._files = frozenset(path for path in ignored if not path.endswith("/"))
        self._folders = tuple(path for path in ignored if path.endswith("/"))
        self._parts = {part for path in ignored for part in path.removesuffix(".py").rstrip("/").split("/")}
        """Words of which an import has to have one, so that few imports are looked at more closely."""
        self._parts.discard("__init__")

    def find(self, path: str, asked: Asked) -> str:
        """The ignored file that an import of the file `path` leads to; empty where there is none."""
        parts = [*(asked.module.split(".") if asked.module else ()), *([asked.name] if asked.name else ())]
        if self._parts.isdisjoint(parts) or is_made(asked, self._modules) or _is_in_tree(path, asked, self._modules):
            return ""
        level = asked.statement.level
        if level > 0:
            bases: tuple[str, ...] = ("/".join(path.split("/")[:-level]),)
        elif self._modules.layout.asked_for.names(parts[0]):
            return ""
        else:
            bases = (*self._modules.layout.roots.of(path)[0], *_own_folder(path, self._modules))
        for base in dict.fromkeys(bases):
            place = "/".join([base, *parts]) if base else "/".join(parts)
            for file in (f"{place}/__init__.py", f"{place}.py"):
                if self._is_ignored(file) and self._program.is_beside(file):
                    return file
        return ""

    def _is_ignored(self, file: str) -> bool:
        return file in self._files or file.startswith(self._folders)
