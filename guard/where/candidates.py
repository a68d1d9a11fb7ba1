"""Ranks what may stand in for a missing name or module, as far as one tree can tell."""

from __future__ import annotations

import math
import posixpath
import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final

from guard.checks.module_facts import SOLID, UNBOUND, Name
from guard.checks.roots import parent_of
from guard.program import Program, at_hand
from guard.where.answers import Certainty, Replacement
from guard.where.index import Group, NameIndex, dotted_below, kind_of


class Where(NameIndex):
    """Finds candidates among what the modules of one tree bind."""

    def __init__(self, program: Program) -> None:
        super().__init__(program)
        self._ranked: dict[tuple[str, str, str, bool], tuple[Replacement, ...]] = {}
        """Answers by module, name, what is near, and whether it is a test that asks."""

    def replacements(self, module: str, name: str, origin: str = "") -> tuple[Replacement, ...]:
        """See `guard.where.replacements`. None in a run in which not all files are at hand."""
        if self._program.is_partial:
            return ()
        old = self.absolute(module, origin)
        itself = not name or self.binds(origin, name)
        key = (old, name, origin if itself else parent_of(origin), not origin or self.is_test(origin))
        found = self._ranked.get(key)
        if found is None:
            found = self._for_both(old, name, origin) if name else self._for_module(old, origin)
            self._ranked[key] = found
        return found

    def respelt(self, module: str, name: str, origin: str = "") -> tuple[Replacement, ...]:
        """Those of `replacements` that stay in the module: its names that differ only in case and underscores."""
        return tuple(self._other_spellings(self.absolute(module, origin), name, origin))

    def _for_both(self, old: str, name: str, origin: str) -> tuple[Replacement, ...]:
        found = [*self._for_name(old, name, origin), *self._other_spellings(old, name, origin)]
        return tuple(sorted(found, key=lambda one: one.certainty.rank))

    # Names

    def _for_name(self, old: str, name: str, origin: str) -> Iterator[Replacement]:
        """The definitions of a name in the tree, those that speak most for themselves first."""
        groups = self.groups(name, origin)
        in_tests = not origin or self.is_test(origin)
        visible = [group for group in groups if in_tests or not group.test]
        production = [group for group in visible if not group.test]
        counted = production or visible
        unread = [path for path in self.unread(name) if path != origin and (in_tests or not self.is_test(path))]
        rank = self._ranking(old, name, origin)
        ranked = sorted(groups, key=lambda group: (group not in counted, rank(group)))
        for group in ranked:
            place = group.place
            module = place.defined_in if group.external else self.module_of(place.path, origin)
            if not module:
                continue
            alone = len(counted) == 1 and group in counted and not unread
            reasons = ["the only definition of that name" if alone else "same name"]
            if unread and group in counted:
                reasons.append(f"but {unread[0]} seems to define it too, and is no valid Python")
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

    def _is_importable_by(self, group: Group, old: str, origin: str) -> bool:
        """Whether somebody who took the name from `old` would take it from there: it is no test's own, and of the same
        project, or others in the importing file's do take it from there."""
        name = posixpath.basename(group.place.path)
        if group.external or name.startswith(("test_", "conftest.")):
            return False
        top = group.place.path.partition("/")[0]
        if top == old.partition(".")[0] or top == origin.partition("/")[0]:
            return True
        return any(path.partition("/")[0] == origin.partition("/")[0] for path in group.importers - {origin})

    def _ranking(self, old: str, name: str, origin: str) -> Callable[[Group], tuple[object, ...]]:
        """The order among definitions of one name: by how near they are to the old place, how many use them, and how
        many other names that are missing with this one are beside them."""
        siblings = self.missing_of(old, origin) - {name}
        parts, tail = old.split("."), old.split(".")[::-1]
        folders = parent_of(origin).split("/")

        def rank(group: Group) -> tuple[object, ...]:
            path = group.place.path
            module = dotted_below("", path).split(".")
            facts = self.modules.facts.get(path)
            beside = len(siblings.intersection(facts.names)) if siblings and facts is not None else 0
            score = (
                math.log2(1 + len(group.importers))
                + 3 * _shared_head(tail, module[::-1])
                + _shared_head(parts, module)
                + 0.5 * min(beside, 3)
                + 0.5 * _shared_head(parent_of(path).split("/"), folders)
            )
            return (group.external, -score, path)

        return rank

    def _other_spellings(self, old: str, name: str, origin: str) -> Iterator[Replacement]:
        """Names of the module itself that differ from the missing one only in case and underscores."""
        for target in self.targets_of(old, origin):
            for other in self.spellings(target.path, name):
                bound = self.modules.facts[target.path].names[other]
                if other != name and not bound.flags & UNBOUND:
                    # `JwtHandler` for `JWTHandler` is the same thing, `jwt_handler` may be one of its instances.
                    same_style = other[0] == name[0] and ("_" in other) == ("_" in name)
                    yield Replacement(
                        certainty=Certainty.LIKELY if same_style else Certainty.POSSIBLE,
                        module=old,
                        name=other,
                        kind=kind_of(bound),
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
        for path, facts in at_hand(self.modules.facts).items() if len(longest) > 2 else ():
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
                    kind=kind_of(bound),
                    path=path,
                    line=bound.line,
                    reasons=(f"a similar name {where}",),
                )

    # Modules

    def _for_module(self, old: str, origin: str) -> tuple[Replacement, ...]:
        """Modules that may stand in for a missing one: with most of the names that are taken from it, then by name."""
        taken = self.missing_of(old, origin)
        bound: Counter[str] = Counter()
        for name in taken:
            bound.update({group.place.path for group in self.groups(name, origin) if not group.external})
        stem = old.rpartition(".")[2]
        called = {path for path in self.called(stem) if path != origin}
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
