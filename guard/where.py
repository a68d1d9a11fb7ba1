"""Where a missing module or name may be today, as far as one tree can tell. It needs no git.

    for candidate in replacements(program, "app.websockets", "Manager", origin="app/main.py"):
        candidate.certainty, candidate.module, candidate.name, candidate.reasons

What the history says of the same question is `guard.history`'s to find out.
"""

from __future__ import annotations

import enum
import math
import posixpath
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Final

import msgspec

from guard.checks.layout import Target
from guard.checks.module_facts import CLASS, FUNCTION, SOLID, TYPING_ONLY, UNBOUND, Name
from guard.checks.modules import FAMILY, Definition, External
from guard.checks.references import Ref
from guard.checks.roots import parent_of
from guard.impact import reach_of
from guard.model import Impact
from guard.program import Program


class Certainty(enum.StrEnum):
    """How sure it is that a candidate is what the missing thing has become. In order, the surest first."""

    CERTAIN = "certain"
    """The evidence allows nothing else: what has the name, or is named in its stead, is the same thing."""
    LIKELY = "likely"
    POSSIBLE = "possible"

    @property
    def rank(self) -> int:
        """Position in a listing, 0 first."""
        return _RANK[self]


_RANK: Final = {certainty: rank for rank, certainty in enumerate(Certainty)}


class Role(enum.StrEnum):
    """How a module comes by a name."""

    DEFINITION = "definition"
    RE_EXPORT = "re-export"
    """It imports the name, and so others can import it from there."""
    ALIAS = "alias"
    """It binds the name to something of another name."""
    FALLBACK = "fallback"
    """It defines the name only for the case that an import of it fails."""


class Place(msgspec.Struct, frozen=True):
    """One module of the tree that binds a name, or is called by it."""

    path: str
    line: int
    kind: str
    """`class`, `function`, `variable` or `module`; for an import what it leads to, or `name` where that is unknown."""
    role: Role
    defined_in: str = ""
    """The file that the definition is in; the module that it comes from where that is not first-party."""
    defined_as: str = ""
    """The name that it is defined under."""


class Replacement(msgspec.Struct, frozen=True, kw_only=True):
    """One answer to the question where something went."""

    certainty: Certainty
    module: str
    """The module to import from, as the importing file would name it, absolute."""
    name: str
    """The name to take from it; empty where it is the module that stands in for a module."""
    kind: str
    path: str
    """The file; empty for a third-party module."""
    line: int
    reasons: tuple[str, ...]
    """What the certainty rests on, the weightiest first."""


def replacements(program: Program, module: str, name: str, origin: str = "") -> tuple[Replacement, ...]:
    """What may stand in for `name` of `module` (for the module itself where `name` is empty), the best first.

    `module` is as an import names it, with dots in front where it is relative; `origin` is the importing file: it says
    what is near, and how a module is to be named. Nothing is looked up but the tree.
    """
    return where(program).replacements(module, name, origin)


def where(program: Program) -> Where:
    """The index of a program's names, made once."""
    found = program.remembered.get("where")
    if not isinstance(found, Where):
        found = program.remembered["where"] = Where(program)
    return found


class Where:
    """An index of what the modules of one tree bind."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._modules = program.linked(FAMILY)
        self._reach = reach_of(program)
        self._places: dict[str, tuple[Place, ...]] = {}
        self._missing: dict[tuple[str, str], frozenset[str]] = {}

    def places(self, name: str) -> tuple[Place, ...]:
        """Every module of the tree that binds `name` at run time, definitions first, then by path."""
        found = self._places.get(name)
        if found is None:
            named = self._binding.get(name, ())
            places = [*self._modules_called(name)]
            places += [self._place(path, name, bound) for path, bound in named if self._may_work(path, bound)]
            found = self._places[name] = tuple(
                sorted(places, key=lambda place: (list(Role).index(place.role), self.is_test(place.path), place.path))
            )
        return found

    def module_of(self, path: str, origin: str = "") -> str:
        """The dotted name by which the file `origin` can import `path`: the one that others use, else the one that
        the roots give; empty where it has none."""
        used = self._used.get(path, Counter())
        for module, _ in sorted(used.items(), key=lambda item: (-item[1], item[0])):
            if not origin or self._leads_to(origin, module, path):
                return module
        certain, possible = self._modules.layout.roots.of(origin or path)
        for root in (*certain, *possible, *self._modules.layout.roots.anybody):
            module = dotted_below(root, path)
            if module and self._leads_to(origin or path, module, path):
                return module
        return dotted_below("", path)

    def replacements(self, module: str, name: str, origin: str = "") -> tuple[Replacement, ...]:
        """See `guard.where.replacements`."""
        old = self.absolute(module, origin)
        if not name:
            return self._for_module(old, origin)
        found = [*self._for_name(old, name, origin), *self._other_spellings(old, name, origin)]
        return tuple(sorted(found, key=lambda one: one.certainty.rank))

    # Names

    def _for_name(self, old: str, name: str, origin: str) -> Iterator[Replacement]:
        """The definitions of a name in the tree, those that speak most for themselves first."""
        groups = self._groups(name, origin)
        in_tests = not origin or self.is_test(origin)
        visible = [group for group in groups if in_tests or not group.test]
        production = [group for group in visible if not group.test]
        counted = production or visible
        ranked = sorted(groups, key=lambda group: (group not in counted, self._rank(group, old, name, origin)))
        for group in ranked:
            place = group.place
            module = place.defined_in if group.external else self.module_of(place.path, origin)
            if not module:
                continue
            alone = len(counted) == 1 and group in counted
            reasons = ["the only definition of that name" if alone else "same name"]
            if group.test and not in_tests:
                reasons.append("but it is test code")
            shared = _shared_tail(old, module)
            if shared:
                reasons.append("in a module of the same name" if shared == 1 else "the same last parts of its path")
            if _is_below(module, old) or _is_below(old, module):
                reasons.append("in the same package")
            if group.importers:
                users = len(group.importers)
                reasons.append(f"{users:,} {'file imports' if users == 1 else 'files import'} it from there")
            likely = alone and self._is_importable_by(group, old, origin)
            yield Replacement(
                certainty=Certainty.LIKELY if likely else Certainty.POSSIBLE,
                module=module if place.kind != "module" else module.rpartition(".")[0],
                name=place.defined_as or name,
                kind=place.kind,
                path="" if group.external else place.path,
                line=place.line,
                reasons=tuple(reasons),
            )

    def _is_importable_by(self, group: _Group, old: str, origin: str) -> bool:
        """Whether somebody who took the name from `old` would take it from there: it is no test's own, and of the same
        project, or others in the importing file's do take it from there."""
        name = posixpath.basename(group.place.path)
        if group.external or name.startswith(("test_", "conftest.")):
            return False
        top = group.place.path.partition("/")[0]
        if top == old.partition(".")[0] or top == origin.partition("/")[0]:
            return True
        return any(path.partition("/")[0] == origin.partition("/")[0] for path in group.importers - {origin})

    def _rank(self, group: _Group, old: str, name: str, origin: str) -> tuple[object, ...]:
        """The order among definitions of one name: by how near they are to the old place, how many use them, and how
        many other names that are missing with this one are beside them."""
        module = dotted_below("", group.place.path)
        siblings = self._missing_of(old, origin) - {name}
        facts = self._modules.facts.get(group.place.path)
        beside = len(siblings.intersection(facts.names)) if facts is not None else 0
        near = _shared_head(parent_of(group.place.path).split("/"), parent_of(origin).split("/"))
        score = (
            math.log2(1 + len(group.importers - {origin}))
            + 3 * _shared_tail(old, module)
            + _shared_head(old.split("."), module.split("."))
            + 0.5 * min(beside, 3)
            + 0.5 * near
        )
        return (group.external, -score, group.place.path)

    def _groups(self, name: str, origin: str) -> list[_Group]:
        """The definitions of a name, each with who imports it by whatever way."""
        groups: dict[tuple[str, str], _Group] = {}
        for place in self.places(name):
            if place.path == origin or place.role is Role.FALLBACK:
                continue
            if place.role is not Role.DEFINITION and not place.defined_in:
                continue
            own = place.role is Role.DEFINITION
            key = (place.path, name) if own else (place.defined_in, place.defined_as)
            external = not own and place.defined_in not in self._modules.facts
            group = groups.get(key)
            if group is None:
                test = not external and self.is_test(key[0])
                group = groups[key] = _Group(self._definition(place), external, test, set())
            group.importers.update(self._importers.get((place.path, name), ()))
        return list(groups.values())

    def _definition(self, place: Place) -> Place:
        """The definition that a place leads to, as a place of its own."""
        if place.role is Role.DEFINITION or place.defined_in not in self._modules.facts:
            return place
        bound = self._modules.facts[place.defined_in].names.get(place.defined_as.partition(".")[0])
        line = bound.line if bound is not None else 1
        return Place(place.defined_in, line, place.kind, Role.DEFINITION, place.defined_in, place.defined_as)

    def _other_spellings(self, old: str, name: str, origin: str) -> Iterator[Replacement]:
        """Names of the module itself that differ from the missing one only in case and underscores."""
        plain = _plain(name)
        for target in self.targets_of(old, origin):
            facts = self._modules.facts.get(target.path)
            for other, bound in sorted(facts.names.items()) if facts is not None else ():
                if other != name and _plain(other) == plain and not bound.flags & UNBOUND:
                    # `JwtHandler` for `JWTHandler` is the same thing, `jwt_handler` may be one of its instances.
                    same_style = other[0] == name[0] and ("_" in other) == ("_" in name)
                    yield Replacement(
                        certainty=Certainty.LIKELY if same_style else Certainty.POSSIBLE,
                        module=old,
                        name=other,
                        kind=_kind(bound),
                        path=target.path,
                        line=bound.line,
                        reasons=("the module has it in another spelling",),
                    )

    def similar(self, module: str, name: str, origin: str = "") -> Iterator[Replacement]:
        """Definitions whose names have most words in common with `name`: those of the module itself, then those of
        other production modules that have all its words and one more (`UnifiedClient` for `Client`)."""
        words = _words(name)
        own = {target.path for target in self.targets_of(module, origin)}
        ranked: list[tuple[tuple[object, ...], str, str, Name]] = []
        longest = max(words, key=len, default="")
        for path, facts in self._modules.facts.items() if len(longest) > 2 else ():
            mine = path in own
            if path == origin or (self.is_test(path) and not mine):
                continue
            for other in facts.names if mine else facts.definitions:
                if other == name or (longest not in other.lower() and not mine):
                    continue
                theirs = _words(other)
                shared = len(words & theirs)
                # Two words that are in one of them only make another thing of it, unless it stands in the same place.
                alike = shared / len(words | theirs)
                if (alike >= 0.5 and _is_like(name, other)) if mine else (words < theirs and len(theirs - words) == 1):
                    bound = facts.names[other]
                    if bound.flags & SOLID and not bound.flags & UNBOUND:
                        ranked.append(((not mine, -alike, path, other), path, other, bound))
        for _, path, other, bound in sorted(ranked, key=lambda one: one[0])[:_SIMILAR]:
            found = module if path in own else self.module_of(path, origin)
            if found:
                where = "in the same module" if path in own else "elsewhere"
                yield Replacement(
                    certainty=Certainty.POSSIBLE,
                    module=found,
                    name=other,
                    kind=_kind(bound),
                    path=path,
                    line=bound.line,
                    reasons=(f"a similar name {where}",),
                )

    def targets_of(self, module: str, origin: str) -> tuple[Target, ...]:
        """What a module of that name is in the tree, as the file `origin` would find it."""
        return self._modules.resolve(origin or "x.py", 0, module).targets if module else ()

    # Modules

    def _for_module(self, old: str, origin: str) -> tuple[Replacement, ...]:
        """Modules that may stand in for a missing one: with most of the names that are taken from it, then by name."""
        taken = self._missing_of(old, origin)
        bound: Counter[str] = Counter()
        for name in taken:
            bound.update({group.place.path for group in self._groups(name, origin) if not group.external})
        stem = old.rpartition(".")[2]
        called = {path for path in self._by_stem.get(stem, ()) if path != origin}
        in_tests = not origin or self.is_test(origin)

        def rank(path: str) -> tuple[object, ...]:
            module = dotted_below("", path)
            parts = old.split(".")
            return (
                not in_tests and self.is_test(path),
                -bound[path],
                path not in called,
                -_shared_tail(old, module),
                -_shared_head(parts, module.split(".")),
                path,
            )

        found = []
        for path in sorted(called.union(bound), key=rank):
            module = self.module_of(path, origin)
            if not module or module == old:
                continue
            reasons = []
            if bound[path]:
                every = "every name" if bound[path] == len(taken) else f"{bound[path]:,} of {len(taken):,} names"
                reasons.append(f"binds {every} that is taken from the missing module")
            if path in called:
                reasons.append("same name")
            test = self.is_test(path) and not in_tests
            whole = bool(taken) and bound[path] == len(taken) and not test
            alone = whole and sum(number == len(taken) for number in bound.values()) == 1
            alone = alone or (not taken and len(called) == 1 and not test)
            found.append(
                Replacement(
                    certainty=Certainty.LIKELY if alone else Certainty.POSSIBLE,
                    module=module,
                    name="",
                    kind="module",
                    path=path,
                    line=1,
                    reasons=tuple(reasons),
                )
            )
        return tuple(sorted(found, key=lambda one: one.certainty.rank))

    def _modules_called(self, name: str) -> Iterator[Place]:
        for path in self._by_stem.get(name, ()):
            yield Place(path, 1, "module", Role.DEFINITION, path)

    # Indices

    @cached_property
    def _taken(self) -> Mapping[str, frozenset[str]]:
        """The names that imports take from each module, whether they are there or not, by its dotted name."""
        found: defaultdict[str, set[str]] = defaultdict(set)
        for path, facts in self._modules.facts.items():
            for statement in facts.imports:
                if statement.level >= 0:
                    module = statement.module
                    if statement.level:
                        module = self.absolute("." * statement.level + module, path)
                    found[module].update([alias.name for alias in statement.aliases])
        return {module: frozenset(names - {"*"}) for module, names in found.items()}

    def _missing_of(self, module: str, origin: str) -> frozenset[str]:
        """The names that imports take from a module and that it has not."""
        key = (module, parent_of(origin))
        found = self._missing.get(key)
        if found is None:
            taken, targets = self._taken.get(module, frozenset[str]()), self.targets_of(module, origin)
            found = self._missing[key] = frozenset(
                name for name in taken if not any(self._modules.binds(target, name) for target in targets)
            )
        return found

    @cached_property
    def _binding(self) -> Mapping[str, list[tuple[str, Name]]]:
        """The files that bind each name when they are imported."""
        found: defaultdict[str, list[tuple[str, Name]]] = defaultdict(list)
        for path, facts in self._modules.facts.items():
            for name, bound in facts.names.items():
                if not bound.flags & (UNBOUND | TYPING_ONLY):
                    found[name].append((path, bound))
        return found

    @cached_property
    def _by_stem(self) -> Mapping[str, list[str]]:
        """Files by the last part of their module name."""
        found: defaultdict[str, list[str]] = defaultdict(list)
        for path in self._modules.facts:
            folder, name = posixpath.split(path)
            stem = name.rpartition(".")[0]
            found[posixpath.basename(folder) if stem == "__init__" else stem].append(path)
        return found

    @cached_property
    def _uses(self) -> tuple[Mapping[tuple[str, str], set[str]], Mapping[str, Counter[str]]]:
        """Who takes which name from which file; and by which dotted names each file is imported, how often."""
        importers: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
        used: defaultdict[str, Counter[str]] = defaultdict(Counter)
        resolve = self._modules.resolve
        for path, facts in self._modules.facts.items():
            for statement in facts.imports:
                if statement.level < 0:
                    continue
                targets = resolve(path, statement.level, statement.module).targets
                if not targets:
                    continue
                target = targets[0].path
                if not statement.level:
                    used[target][statement.module] += 1
                for alias in statement.aliases:
                    importers[target, alias.name].add(path)
        return importers, used

    @property
    def _importers(self) -> Mapping[tuple[str, str], set[str]]:
        return self._uses[0]

    @property
    def _used(self) -> Mapping[str, Counter[str]]:
        return self._uses[1]

    def _may_work(self, path: str, bound: Name) -> bool:
        """Whether the name is bound by something else than an import that can never succeed."""
        if bound.flags & SOLID:
            return True
        for origin in bound.origins:
            resolution = self._modules.resolve(path, origin.level, origin.module) if origin.module else None
            if resolution is None or not (resolution.targets or resolution.missing):
                return True
            if not origin.name and resolution.targets:
                return True
            if any(self._modules.binds(target, origin.name) for target in resolution.targets):
                return True
        return not bound.origins

    def _place(self, path: str, name: str, bound: Name) -> Place:
        """What a file's binding of a name is, and where that leads."""
        if bound.flags & SOLID:
            if bound.origins:
                return Place(path, bound.line, _kind(bound), Role.FALLBACK)
            return Place(path, bound.line, _kind(bound), Role.DEFINITION, path, name)
        led = self._modules.follow(path, Ref(0, "", name))
        imported = {origin.name.rpartition(".")[2] for origin in bound.origins}
        role = Role.RE_EXPORT if name in imported or not any(imported) else Role.ALIAS
        if isinstance(led, Definition):
            defined = self._modules.facts[led.path].names.get(led.name.partition(".")[0])
            return Place(path, bound.line, _kind(defined) if defined else "name", role, led.path, led.name)
        if isinstance(led, External):
            return Place(path, bound.line, "name", role, led.module, led.name)
        return Place(path, bound.line, "name", role)

    # Small things

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
        resolution = self._modules.resolve(origin, 0, module)
        return not resolution.doubtful and [target.path for target in resolution.targets] == [path]

    def is_test(self, path: str) -> bool:
        """Whether a file is for tests, by where it lies."""
        return self._reach.kind(path) is Impact.TESTS


class _Group(msgspec.Struct, eq=False):
    """One definition, and the files that import it, by way of whatever module."""

    place: Place
    external: bool
    test: bool
    importers: set[str]


def dotted_below(root: str, path: str) -> str:
    """The dotted name of a file below the folder `root`; empty where none of its parts could be in an import."""
    if root:
        if not path.startswith(root + "/"):
            return ""
        path = path[len(root) + 1 :]
    stem = path.rpartition(".")[0]
    parts = stem.removesuffix("/__init__").split("/") if stem != "__init__" else []
    return ".".join(parts) if parts and all(part.isidentifier() for part in parts) else ""


def _kind(bound: Name) -> str:
    if bound.flags & CLASS and not bound.flags & FUNCTION:
        return "class"
    return "function" if bound.flags & FUNCTION else "variable"


def _plain(name: str) -> str:
    return name.replace("_", "").casefold()


_SIMILAR: Final = 3
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z][a-z0-9]+|[a-z0-9]+")


def _words(name: str) -> frozenset[str]:
    """The words of a name: `JWTHandler` and `jwt_handler` have the same."""
    return frozenset(word.lower() for word in _WORD.findall(name))


def _is_like(one: str, other: str) -> bool:
    """Whether two names are written in the same style, as those of two classes are."""
    return one[:1].isupper() == other[:1].isupper() and ("_" in one.strip("_")) == ("_" in other.strip("_"))


def _shared_tail(one: str, other: str) -> int:
    """How many of their last parts two dotted names have in common."""
    return _shared_head(one.split(".")[::-1], other.split(".")[::-1])


def _shared_head(one: list[str], other: list[str]) -> int:
    shared = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        shared += 1
    return shared


def _is_below(module: str, package: str) -> bool:
    return module.startswith(package + ".")
