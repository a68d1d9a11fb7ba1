"""An index of one tree's names: which module binds what, who imports it, and how modules are called by importers."""

from __future__ import annotations

import posixpath
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Final

import msgspec

from guard.checks.layout import Target
from guard.checks.module_facts import CLASS, FUNCTION, SOLID, TYPING_ONLY, UNBOUND, Import, Name
from guard.checks.modules import FAMILY, Definition, External
from guard.checks.references import Ref
from guard.checks.roots import parent_of
from guard.impact import reach_of
from guard.model import Impact
from guard.program import Program, at_hand
from guard.where.answers import Place, Role

_READ_LIMIT: Final = 1 << 22
_DEFINES: Final = re.compile(rb"^(?:async[ \t]+def|def|class)?[ \t]*([A-Za-z_][A-Za-z0-9_]*)[ \t]*[:(=]", re.MULTILINE)
_ROLES: Final = {role: rank for rank, role in enumerate(Role)}


class Group(msgspec.Struct, eq=False):
    """One definition, and the files that import it, by way of whatever module."""

    place: Place
    external: bool
    test: bool
    importers: set[str]


class NameIndex:
    """An index of what the modules of one tree bind, made when something is first asked for."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self.modules = program.linked(FAMILY)
        self._reach = reach_of(program)
        self._imported: dict[str, dict[str, set[str]]] = {}
        self._places: dict[tuple[str, bool], tuple[Place, ...]] = {}
        self._missing: dict[tuple[str, str], frozenset[str]] = {}
        self._called: dict[tuple[str, str], str] = {}
        self._groups: dict[str, tuple[frozenset[str], list[Group]]] = {}
        """By name, the files that bind it, and its definitions with none of them left out."""
        self._spellings: dict[str, Mapping[str, list[str]]] = {}
        self._ranks: dict[str, Mapping[str, int]] = {}
        self._providers: dict[str, frozenset[str]] = {}

    @cached_property
    def _binding(self) -> Mapping[str, list[str]]:
        """By name, the files that bind it. One look at all modules, however many names are asked for."""
        found: defaultdict[str, list[str]] = defaultdict(list)
        for path, facts in at_hand(self.modules.facts).items():
            for name, bound in facts.names.items():
                if not bound.flags & (UNBOUND | TYPING_ONLY):
                    found[name].append(path)
        return found

    def _files_binding(self, name: str) -> Sequence[str]:
        """The files that bind a name."""
        if self._program.focus is None:
            return self._binding.get(name, ())
        # Near a change few names are asked for, and to unpack those of all modules takes longer than the rest.
        sought = name.encode()
        modules = at_hand(self.modules.facts).items()
        names = ((path, facts.names.get(name)) for path, facts in modules if facts.may_bind(sought))
        return [path for path, bound in names if bound is not None and not bound.flags & (UNBOUND | TYPING_ONLY)]

    @cached_property
    def _imports(self) -> Mapping[str, list[tuple[str, Import]]]:
        """By name, the statements that import it from some module, with their files."""
        found: defaultdict[str, list[tuple[str, Import]]] = defaultdict(list)
        for path, facts in at_hand(self.modules.facts).items():
            for statement in facts.imports:
                if statement.level >= 0:
                    for alias in statement.aliases:
                        found[alias.name].append((path, statement))
        return found

    def _importers(self, name: str) -> Mapping[str, set[str]]:
        """By file of a module, the files that import `name` from it."""
        found = self._imported.get(name)
        if found is None:
            found = self._imported[name] = {}
            for path, statement in self._imports.get(name, ()):
                for target in self.modules.resolve(path, statement.level, statement.module).targets[:1]:
                    found.setdefault(target.path, set()).add(path)
        return found

    def importers_of(self, path: str, name: str) -> frozenset[str]:
        """The files that import `name` from the module in the file `path`."""
        return frozenset(self._importers(name).get(path, ()))

    def is_taken(self, path: str, name: str) -> bool:
        """Whether a file imports `name`, or everything, from the file `path`."""
        return path in self._taken_from(name) or path in self._taken_from("*")

    def _taken_from(self, name: str) -> frozenset[str]:
        """The files that statements take `name` from, whichever of several they find."""
        found = self._providers.get(name)
        if found is None:
            found = self._providers[name] = frozenset(
                target.path
                for path, statement in self._imports.get(name, ())
                for target in self.modules.resolve(path, statement.level, statement.module).targets
            )
        return found

    def places(self, name: str) -> tuple[Place, ...]:
        """Every module of the tree that binds `name` at run time: definitions first, tests last, then by path."""
        return self._bound(name, importing_tests=True)

    def unread(self, name: str) -> Sequence[str]:
        """The files that seem to define a name, by what their lines begin with, and are no valid Python."""
        return self._unread.get(name, ())

    @cached_property
    def _unread(self) -> Mapping[str, list[str]]:
        files = self._program.files
        broken = [path for path, file in files.items() if file.kind == "python" and not file.parsed]
        found: defaultdict[str, list[str]] = defaultdict(list)
        for path, content in self._program.tree.read_many(broken, _READ_LIMIT):
            for name in {match[1].decode() for match in _DEFINES.finditer(content)}:
                found[name].append(path)
        return found

    def binds(self, path: str, name: str) -> bool:
        """Whether a file binds the name in some way."""
        facts = self.modules.facts.get(path)
        return facts is not None and name in facts.names

    def _bound(self, name: str, *, importing_tests: bool) -> tuple[Place, ...]:
        """The places of a name, with or without the tests that only import it: these are many, and nobody imports
        anything from them."""
        key = (name, importing_tests)
        found = self._places.get(key)
        if found is None:
            places = [Place(path, 1, "module", Role.DEFINITION, path) for path in self.called(name)]
            places += [
                self._place(path, name, bound)
                for path in self._files_binding(name)
                for bound in (self.modules.facts[path].names[name],)
                if (importing_tests or bound.flags & SOLID or not self.is_test(path)) and self._may_work(path, bound)
            ]
            found = self._places[key] = tuple(
                sorted(places, key=lambda place: (_ROLES[place.role], self.is_test(place.path), place.path))
            )
        return found

    def called(self, name: str) -> list[str]:
        """The files whose module name ends in `name`."""
        return self._by_stem.get(name, [])

    def groups(self, name: str, origin: str) -> Sequence[Group]:
        """The definitions of a name but that of the file `origin`, each with who imports it by whatever way."""
        known = self._groups.get(name)
        if known is None:
            paths = frozenset(place.path for place in self._bound(name, importing_tests=False))
            known = self._groups[name] = paths, self._group(name, "")
        paths, groups = known
        return self._group(name, origin) if origin in paths else groups

    def _group(self, name: str, without: str) -> list[Group]:
        groups: dict[tuple[str, str], Group] = {}
        importers = self._importers(name)
        for place in self._bound(name, importing_tests=False):
            if place.path == without or place.role is Role.FALLBACK:
                continue
            if place.role is not Role.DEFINITION and not place.defined_in:
                continue
            own = place.role is Role.DEFINITION
            key = (place.path, name) if own else (place.defined_in, place.defined_as)
            external = not own and place.defined_in not in self.modules.facts
            group = groups.get(key)
            if group is None:
                test = not external and self.is_test(key[0])
                group = groups[key] = Group(self._definition(place), external, test, set())
            group.importers.update(importers.get(place.path, ()))
        return list(groups.values())

    def module_of(self, path: str, origin: str = "") -> str:
        """The dotted name by which the file `origin` can import `path`, below that root whose packages the tree imports
        most; empty where it has none."""
        key = (path, parent_of(origin))
        found = self._called.get(key)
        if found is None:
            found = self._called[key] = self._module_of(path, origin or path)
        return found

    def _module_of(self, path: str, origin: str) -> str:
        ranks = self._roots_of(origin)
        above = sorted((folder for folder in _folders_above(path) if folder in ranks), key=ranks.__getitem__)
        below = [module for root in above if (module := dotted_below(root, path))]
        below.sort(key=lambda module: -self._tops[module.partition(".")[0]])
        leading = (module for module in below if self._leads_to(origin, module, path))
        return next(leading, dotted_below("", path))

    def _roots_of(self, origin: str) -> Mapping[str, int]:
        """The roots that the file `origin` may have, each with its place among them."""
        folder = parent_of(origin)
        ranks = self._ranks.get(folder)
        if ranks is None:
            roots = self.modules.layout.roots
            certain, possible = roots.of(origin)
            every = dict.fromkeys((*certain, *possible, *roots.anybody))
            ranks = self._ranks[folder] = {root: rank for rank, root in enumerate(every)}
        return ranks

    @cached_property
    def _tops(self) -> Counter[str]:
        """How many import statements begin with each top-level name."""
        return Counter(
            statement.module.partition(".")[0]
            for facts in at_hand(self.modules.facts).values()
            for statement in facts.imports
            if statement.level == 0
        )

    def spellings(self, path: str, name: str) -> Sequence[str]:
        """The names of a file that differ from `name` in case and underscores at the most, sorted."""
        found = self._spellings.get(path)
        if found is None:
            by_letters: defaultdict[str, list[str]] = defaultdict(list)
            facts = self.modules.facts.get(path)
            for other in sorted(facts.names) if facts is not None else ():
                by_letters[_letters(other)].append(other)
            found = self._spellings[path] = by_letters
        return found.get(_letters(name), ())

    def is_test(self, path: str) -> bool:
        """Whether a file is for tests, by where it lies."""
        return self._reach.kind(path) is Impact.TESTS

    def targets_of(self, module: str, origin: str) -> tuple[Target, ...]:
        """What a module of that name is in the tree, as the file `origin` would find it."""
        return self.modules.resolve(origin or "x.py", 0, module).targets if module else ()

    def missing_of(self, module: str, origin: str) -> frozenset[str]:
        """The names that imports take from a module and that it has not."""
        key = (module, parent_of(origin))
        found = self._missing.get(key)
        if found is None:
            taken, targets = self._taken.get(module, frozenset[str]()), self.targets_of(module, origin)
            found = self._missing[key] = frozenset(
                name for name in taken if not any(self.modules.binds(target, name) for target in targets)
            )
        return found

    def absolute(self, module: str, origin: str) -> str:
        """A module without dots in front, as a path from the tree's root where it was relative."""
        level = len(module) - len(module.lstrip("."))
        if not level:
            return module
        folder = parent_of(origin)
        for _ in range(level - 1):
            folder = parent_of(folder)
        return ".".join(part for part in (*folder.split("/"), module[level:]) if part)

    def _leads_to(self, origin: str, module: str, path: str) -> bool:
        resolution = self.modules.resolve(origin, 0, module)
        return not resolution.doubtful and [target.path for target in resolution.targets] == [path]

    @cached_property
    def _taken(self) -> Mapping[str, frozenset[str]]:
        """The names that imports take from each module, whether they are there or not, by its dotted name."""
        found: defaultdict[str, set[str]] = defaultdict(set)
        for path, facts in at_hand(self.modules.facts).items():
            for statement in facts.imports:
                if statement.level >= 0:
                    module = statement.module
                    if statement.level:
                        module = self.absolute("." * statement.level + module, path)
                    found[module].update([alias.name for alias in statement.aliases])
        return {module: frozenset(names - {"*"}) for module, names in found.items()}

    @cached_property
    def _by_stem(self) -> Mapping[str, list[str]]:
        """Files by the last part of their module name."""
        found: defaultdict[str, list[str]] = defaultdict(list)
        for path in at_hand(self.modules.facts):
            folder, name = posixpath.split(path)
            stem = name.rpartition(".")[0]
            found[posixpath.basename(folder) if stem == "__init__" else stem].append(path)
        return found

    def _may_work(self, path: str, bound: Name) -> bool:
        """Whether the name is bound by something else than an import that can never succeed."""
        if bound.flags & SOLID:
            return True
        for origin in bound.origins:
            resolution = self.modules.resolve(path, origin.level, origin.module) if origin.module else None
            if resolution is None or not (resolution.targets or resolution.missing):
                return True
            if not origin.name and resolution.targets:
                return True
            if any(self.modules.binds(target, origin.name) for target in resolution.targets):
                return True
        return not bound.origins

    def _place(self, path: str, name: str, bound: Name) -> Place:
        """What a file's binding of a name is, and where that leads."""
        if bound.flags & SOLID:
            if bound.origins:
                return Place(path, bound.line, kind_of(bound), Role.FALLBACK)
            return Place(path, bound.line, kind_of(bound), Role.DEFINITION, path, name)
        led = self.modules.follow(path, Ref(0, "", name))
        imported = {origin.name.rpartition(".")[2] for origin in bound.origins}
        role = Role.RE_EXPORT if name in imported or not any(imported) else Role.ALIAS
        if isinstance(led, Definition):
            defined = self.modules.facts[led.path].names.get(led.name.partition(".")[0])
            return Place(path, bound.line, kind_of(defined) if defined else "name", role, led.path, led.name)
        if isinstance(led, External):
            return Place(path, bound.line, "name", role, led.module, led.name)
        return Place(path, bound.line, "name", role)

    def _definition(self, place: Place) -> Place:
        """The definition that a place leads to, as a place of its own."""
        if place.role is Role.DEFINITION or place.defined_in not in self.modules.facts:
            return place
        bound = self.modules.facts[place.defined_in].names.get(place.defined_as.partition(".")[0])
        line = bound.line if bound is not None else 1
        return Place(place.defined_in, line, place.kind, Role.DEFINITION, place.defined_in, place.defined_as)


def _letters(name: str) -> str:
    return name.replace("_", "").casefold()


def _folders_above(path: str) -> Iterator[str]:
    """The folders that a file lies in, the tree's own last."""
    while path:
        path = parent_of(path)
        yield path


def dotted_below(root: str, path: str) -> str:
    """The dotted name of a file below the folder `root`; empty where none of its parts could be in an import."""
    if root:
        if not path.startswith(root + "/"):
            return ""
        path = path[len(root) + 1 :]
    stem = path.rpartition(".")[0]
    parts = stem.removesuffix("/__init__").split("/") if stem != "__init__" else []
    return ".".join(parts) if parts and all(part.isidentifier() for part in parts) else ""


def kind_of(bound: Name) -> str:
    """What a binding that is no import defines."""
    if bound.flags & CLASS and not bound.flags & FUNCTION:
        return "class"
    return "function" if bound.flags & FUNCTION else "variable"
