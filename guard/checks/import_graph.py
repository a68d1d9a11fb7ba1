"""Which modules a module executes when it is imported, in order; and the circles among them."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Final

import msgspec

from guard.checks.layout import Missing, Resolution, Target
from guard.checks.module_facts import ASSERTED, BRANCHED, DEAD, LAZY, MAIN, PLATFORM, SOLID, TYPING, Import
from guard.checks.module_table import Modules
from guard.checks.roots import parent_of

if TYPE_CHECKING:
    from guard.program import Program

_NEVER: Final = LAZY | TYPING | DEAD | ASSERTED
_NOT_AS_MODULE: Final = _NEVER | MAIN
_PERHAPS: Final = BRANCHED | PLATFORM


class Taken(msgspec.Struct, frozen=True):
    """One name of a `from` import."""

    index: int
    """Of the name in its statement."""
    name: str
    submodule: str
    """The file of the submodule of that name; empty where there is none."""
    own: bool
    """The module itself binds the name, by more than an import of its submodule."""


class Step(msgspec.Struct, frozen=True):
    """One import statement of a module, or one module of `import a, b`, as it is carried out."""

    statement: Import
    alias: int
    """Which of the modules of `import a, b`; 0 for `from` imports."""
    chain: tuple[str, ...]
    """The files that are executed, unless they were before: packages from the outermost, then the module."""
    target: str
    """The module that names are taken from; empty for `import a.b`."""
    taken: tuple[Taken, ...]
    root: str | None
    """The folder that the first part of an absolute import was found in; None for a relative one."""

    @property
    def certain(self) -> bool:
        """Whether it is carried out whenever the module is executed, as far as it gets."""
        return not self.statement.flags & _PERHAPS


class Edge(msgspec.Struct, frozen=True):
    """One module that another one executes or takes names from."""

    path: str
    line: int
    certain: bool


class ImportGraph:
    """The module-level imports of one tree."""

    def __init__(self, modules: Modules) -> None:
        self.modules: Final = modules
        self._chains: dict[tuple[str, int], tuple[str, ...]] = {}
        self._executing: dict[tuple[str, str, int], tuple[str, ...]] = {}
        self._steps: dict[str, tuple[Step, ...]] = {}

    def steps(self, path: str) -> tuple[Step, ...]:
        """The import statements that run when the module is executed, as a script too, in order, without those of
        modules outside the tree."""
        found = self._steps.get(path)
        if found is None:
            found = self._steps[path] = tuple(self._find_steps(path))
        return found

    def _find_steps(self, path: str) -> Iterator[Step]:
        facts = self.modules.facts.get(path)
        if facts is None or path.endswith(".pyi"):
            return
        for statement in facts.imports:
            if statement.flags & _NEVER:
                continue
            if statement.level >= 0:
                target = self._led_to(path, statement.level, statement.module)
                if target is not None:
                    yield self._from(path, statement, target)
                continue
            for index, alias in enumerate(statement.aliases):
                target = self._led_to(path, -1, alias.name)
                if target is not None:
                    depth = alias.name.count(".")
                    yield Step(statement, index, self._chain(target, depth), "", (), _root(target, depth))

    def _led_to(self, path: str, level: int, module: str) -> Target | None:
        """The one module of the tree that an import certainly leads to."""
        resolution = self.modules.resolve(path, level, module)
        target = _certain(resolution)
        if target is not None and level <= 0 and self.modules.layout.means_namesake(path, module, resolution):
            return None
        return target

    def _from(self, path: str, statement: Import, target: Target) -> Step:
        depth = statement.module.count(".") if statement.level == 0 else sys.maxsize
        source = target.path if target.kind != "namespace" else ""
        root = _root(target, depth) if statement.level == 0 else None
        return Step(statement, 0, self._chain(target, depth), source, self._names(path, statement, target), root)

    def _names(self, path: str, statement: Import, target: Target) -> tuple[Taken, ...]:
        folder = self.modules.layout.folder_of(target)
        taken = []
        for index, alias in enumerate(statement.aliases):
            submodule = self._submodule(folder, alias.name) if folder is not None else ""
            before = statement.line if target.path == path else sys.maxsize
            own = not submodule or self._binds_itself(target, alias.name, submodule, before)
            taken.append(Taken(index, alias.name, submodule, own))
        return tuple(taken)

    def _submodule(self, folder: str, name: str) -> str:
        """Where the submodule of a name is in a folder, or may be when the code runs; empty where there is none."""
        below = self.modules.layout.descend(folder, [name])
        return "" if isinstance(below, Missing) else below.path or f"{folder}/{name}"

    def _binds_itself(self, package: Target, name: str, submodule: str, before: int) -> bool:
        """Whether a package binds a name by more than an import of its submodule of that name, above a line."""
        facts = self.modules.facts.get(package.path)
        bound = facts.names.get(name) if facts is not None else None
        if bound is None or bound.line >= before:
            return False
        if bound.flags & SOLID:
            return True
        for origin in bound.origins:
            targets = self.modules.resolve(package.path, origin.level, origin.module).targets
            if origin.name == name and targets == (package,):
                continue
            if origin.name or [target.path for target in targets] != [submodule]:
                return True
        return False

    def _chain(self, target: Target, depth: int) -> tuple[str, ...]:
        """The packages above a module, `depth` of them or all, from the outermost, and the module itself."""
        key = (target.path, depth)
        found = self._chains.get(key)
        if found is None:
            files = [] if target.kind == "namespace" else [target.path]
            folder = parent_of(target.path)
            if target.kind == "package":
                folder = parent_of(folder)
            while folder and depth > 0:
                init = f"{folder}/__init__.py"
                if init in self.modules.facts:
                    files.append(init)
                elif depth == sys.maxsize and folder not in self.modules.layout.packages:
                    break
                folder = parent_of(folder)
                depth -= depth != sys.maxsize
            found = self._chains[key] = tuple(reversed(files))
        return found

    @cached_property
    def edges(self) -> Mapping[str, tuple[Edge, ...]]:
        """By module, what it executes, in order. Left out is what is executed before it anyhow: the packages that it
        stands in, unless it takes something from them."""
        return {path: tuple(self._find_edges(path)) for path in self.modules.facts}

    def _find_edges(self, path: str) -> Iterator[Edge]:
        """The edges of one module: what `steps` would tell, without the steps, since every module is asked."""
        facts = self.modules.facts[path]
        if path.endswith(".pyi"):
            return
        seen: dict[str, bool] = {path: True}
        folder = parent_of(path)
        for statement in facts.imports:
            flags = statement.flags
            if flags & _NOT_AS_MODULE:
                continue
            certain = not flags & _PERHAPS
            for module in statement.modules:
                target = self._led_to(path, statement.level, module)
                if target is None:
                    continue
                depth = sys.maxsize if statement.level > 0 else module.count(".")
                for file in self._executed(folder, target, depth):
                    known = seen.get(file)
                    if known is None or (certain and not known):
                        seen[file] = certain
                        yield Edge(file, statement.line, certain)
                if target.kind == "module":
                    continue
                for file, sure in self._taken(path, statement, target):
                    known = seen.get(file)
                    if known is None or (certain and sure and not known):
                        seen[file] = certain and sure
                        yield Edge(file, statement.line, certain and sure)

    def _executed(self, folder: str, target: Target, depth: int) -> tuple[str, ...]:
        """What a module of a folder executes to import another one, but for the packages that the folder is in."""
        key = (folder, target.path, depth)
        found = self._executing.get(key)
        if found is None:
            own = {f"{folder}/__init__.py"} if folder else set()
            while folder:
                folder = parent_of(folder)
                own.add(f"{folder}/__init__.py")
            found = self._executing[key] = tuple(file for file in self._chain(target, depth) if file not in own)
        return found

    def _taken(self, path: str, statement: Import, target: Target) -> Iterator[tuple[str, bool]]:
        """What a module takes from a package: the package itself, where it stands above the module, and submodules.
        With each goes whether that is certain."""
        above = target.kind == "package" and path.startswith(target.path.removesuffix("__init__.py"))
        if statement.level < 0:
            if above:
                yield target.path, True  # `import a` in a module of `a`
            return
        taken = self._names(path, statement, target)
        if above and any(name.own for name in taken):
            yield target.path, True
        for name in taken:
            if name.submodule:
                # Where the package binds the name too, the module is imported while the package has not come to that.
                yield name.submodule, not name.own

    @cached_property
    def circles(self) -> tuple[tuple[str, ...], ...]:
        """The strongly connected components of more than one module, sorted. Every other module is executed after all
        that it imports."""
        return tuple(sorted(tuple(sorted(component)) for component in self.components if len(component) > 1))

    @cached_property
    def components(self) -> Sequence[Sequence[str]]:
        """The strongly connected components; each stands behind those that it imports (Tarjan)."""
        edges = {path: [edge.path for edge in found if edge.path in self.edges] for path, found in self.edges.items()}
        number: dict[str, int] = {}
        low: dict[str, int] = {}
        stack: list[str] = []
        on_stack: set[str] = set()
        components: list[list[str]] = []
        for start in edges:
            if start in number:
                continue
            work = [(start, iter(edges[start]))]
            number[start] = low[start] = len(number)
            stack.append(start)
            on_stack.add(start)
            while work:
                path, targets = work[-1]
                for target in targets:
                    if target not in number:
                        number[target] = low[target] = len(number)
                        stack.append(target)
                        on_stack.add(target)
                        work.append((target, iter(edges[target])))
                        break
                    if target in on_stack:
                        low[path] = min(low[path], number[target])
                else:
                    work.pop()
                    if work:
                        above = work[-1][0]
                        low[above] = min(low[above], low[path])
                    if low[path] == number[path]:
                        component = []
                        while True:
                            member = stack.pop()
                            on_stack.discard(member)
                            component.append(member)
                            if member == path:
                                break
                        components.append(component)
        return components

    def first_entries(self, circle: frozenset[str], *, certain: bool) -> Mapping[str, str]:
        """By module outside of a circle, the member of it that is executed first when the module is; modules that
        execute none are left out. With `certain`, by imports alone that are carried out for certain."""
        found: dict[str, str] = {}
        behind = False
        for component in self.components:
            if component[0] in circle:
                behind = True
                continue
            if not behind:
                continue
            if len(component) == 1:
                entry = self._first_entry(component[0], circle, found, certain)
                if entry:
                    found[component[0]] = entry
                continue
            # In another circle the order depends on where it is entered.
            inside = {
                path: self._first_inside(path, frozenset(component), circle, found, certain) for path in component
            }
            found.update({path: entry for path, entry in inside.items() if entry})
        return found

    def _first_entry(self, path: str, circle: frozenset[str], known: Mapping[str, str], certain: bool) -> str:
        for edge in self.edges[path]:
            if certain and not edge.certain:
                continue
            if edge.path in circle:
                return edge.path
            if edge.path in known:
                return known[edge.path]
        return ""

    def _first_inside(
        self, start: str, component: frozenset[str], circle: frozenset[str], known: Mapping[str, str], certain: bool
    ) -> str:
        seen = {start}
        work = [iter(self.edges[start])]
        while work:
            edge = next(work[-1], None)
            if edge is None:
                work.pop()
            elif certain and not edge.certain:
                continue
            elif edge.path in circle:
                return edge.path
            elif edge.path in component:
                if edge.path not in seen:
                    seen.add(edge.path)
                    work.append(iter(self.edges[edge.path]))
            elif edge.path in known:
                return known[edge.path]
        return ""


def graph_of(program: Program) -> ImportGraph:
    """The graph of a program, made once."""
    from guard.checks.modules import FAMILY

    found = program.remembered.get("import graph")
    if not isinstance(found, ImportGraph):
        found = program.remembered["import graph"] = ImportGraph(program.linked(FAMILY))
    return found


def _is_code(target: Target) -> bool:
    return target.kind in ("module", "package") and target.path.endswith(".py")


def _certain(resolution: Resolution) -> Target | None:
    """The one target of an import; None where there are several, or it cannot be read, or is no code."""
    if len(resolution.targets) != 1 or resolution.doubtful:
        return None
    target = resolution.targets[0]
    return target if target.kind == "namespace" or _is_code(target) else None


def _root(target: Target, depth: int) -> str:
    folder = target.path
    if target.kind != "namespace":
        folder = parent_of(folder)
    for _ in range(depth + (target.kind != "module")):
        folder = parent_of(folder)
    return folder
