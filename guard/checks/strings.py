"""Strings that name modules and attributes: the family behind IMP006.

The facts are in `strings_facts`. `strings_apis` knows the functions that resolve strings, `strings_settings` the
settings that do, `strings_excuses` what may fail; `strings_resolve` follows a dotted path as it is followed at run
time. Here is what they give together: the strings of Python files that lead nowhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from functools import cached_property
from typing import TYPE_CHECKING, Final

import msgspec

from guard.checks import modules
from guard.checks.broken_imports import handler_of
from guard.checks.module_facts import LAZY
from guard.checks.modules import External
from guard.checks.roots import parent_of
from guard.checks.strings_apis import is_patch
from guard.checks.strings_collect import StringCollector
from guard.checks.strings_facts import (
    IMPORT,
    LAST_ONLY,
    MAY_CREATE,
    PATCH,
    RUN,
    SELF,
    SERVED,
    StringsFacts,
    StringUse,
)
from guard.checks.strings_resolve import Lost, Resolver
from guard.families import Family

if TYPE_CHECKING:
    from guard.program import Program


class BrokenString(msgspec.Struct, frozen=True):
    """A string that leads nowhere."""

    path: str
    use: StringUse
    shown: str
    """What it names, with what it is looked for in."""
    lost: Lost


class Strings:
    """The linked family."""

    def __init__(self, program: Program) -> None:
        self._facts = program.facts(FAMILY)
        self._modules = program.linked(modules.FAMILY)
        self.resolver = Resolver(program, self._modules, self._facts)
        self._lost: dict[tuple[str, str, int], Lost | None] = {}

    @cached_property
    def broken(self) -> tuple[BrokenString, ...]:
        """Every string of a Python file that leads nowhere, in order of path and line."""
        found = [
            broken
            for path, facts in self._facts.items()
            if path in self._modules.facts
            for broken in self._broken_in(path, facts)
        ]
        return tuple(sorted(found, key=lambda broken: (broken.path, broken.use.line, broken.use.column)))

    def _broken_in(self, path: str, facts: StringsFacts) -> Iterator[BrokenString]:
        created = {(use.base, use.text) for use in facts.uses if use.flags & MAY_CREATE}
        for use in facts.uses:
            lost = self._lost_of(path, facts, use)
            if lost is None:
                continue
            parts = use.text.replace(":", ".").split(".")
            is_last = lost.index == len(parts) - 1
            if (is_last and use.flags & MAY_CREATE) or (use.flags & LAST_ONLY and not is_last):
                continue
            if lost.name in facts.sets or (use.base, ".".join(parts[: lost.index + 1])) in created:
                continue
            if self._is_put_there(path, lost, use) or not self._is_called(path, facts, use):
                continue
            if _is_replaced(facts, use, lost.index) or self._is_expected_to_miss(path, lost, parts):
                continue
            shown = f"{lost.holder}.{'.'.join(parts[lost.index :])}" if use.base >= 0 else use.text
            yield BrokenString(path, use, shown, lost)

    def _is_called(self, path: str, facts: StringsFacts, use: StringUse) -> bool:
        """Whether the function that is given the string is what it looks like."""
        if use.callee < 0:
            return True
        callee = facts.refs[use.callee]
        if callee.is_local and not self._modules.facts[path].stars:
            return True  # nothing binds the name
        found = self._modules.follow(path, callee)
        return isinstance(found, External) and is_patch(found.module, found.name, use.api)

    def _lost_of(self, path: str, facts: StringsFacts, use: StringUse) -> Lost | None:
        if use.base >= 0:
            base = facts.refs[use.base]
            if use.way == IMPORT:
                return self._missing_relative(path, base.level, base == SELF, use.text)
            return self.resolver.lost_below(path, base, use.text.split("."), use.way)
        if self._modules.layout.roots.own(path):
            return self._resolved(path, use)
        # Files of one folder have the same roots, and tests name the same things again and again.
        key = (parent_of(path), use.text, use.way)
        if key not in self._lost:
            self._lost[key] = self._resolved(path, use)
        return self._lost[key]

    def _missing_relative(self, path: str, level: int, is_self: bool, text: str) -> Lost | None:
        if is_self:
            if self._modules.target_of(path).kind != "package":
                return None
            level = 1
        return self.resolver.missing_module(path, level, text) if level else None

    def _resolved(self, path: str, use: StringUse) -> Lost | None:
        text, way = use.text, use.way
        resolver = self.resolver
        if way == IMPORT:
            return resolver.missing_module(path, 0, text)
        if way == RUN:
            missing = resolver.missing_module(path, 0, text)
            if missing is None and not resolver.runs_as_main(path, text):
                return Lost(text, "__main__", text.count(".") + 1, as_module=True)
            return missing
        if way == SERVED:
            module, _, attribute = text.partition(":")
            missing = resolver.missing_module(path, 0, module)
            if missing is not None:
                return missing
            lost = resolver.lost(path, [*module.split("."), *attribute.split(".")], way)
            return lost if lost is not None and lost.index > module.count(".") else None
        return resolver.lost(path, text.split("."), way)

    def _is_put_there(self, path: str, lost: Lost, use: StringUse) -> bool:
        """Whether a test puts a module into `sys.modules` that makes the string right: the file itself, or a
        `conftest.py` above it."""
        if lost.cls is not None:
            return False
        provided = self._provided(path)
        if "*" in provided:
            return True
        parts = use.text.replace(":", ".").split(".")
        return any(".".join(parts[:end]) in provided for end in range(1, len(parts) + 1))

    def _is_expected_to_miss(self, path: str, lost: Lost, parts: list[str]) -> bool:
        """Whether the file imports what is missing, or something below it, outside of functions, and goes on without:
        tests of what is in another repository, which are skipped where that is not installed."""
        facts = self._modules.facts[path]
        if lost.cls is not None or not facts.guards:
            return False
        missing = f"{'.'.join(parts[: lost.index + 1])}."
        return any(
            f"{module}.".startswith(missing)
            for statement in facts.imports
            if statement.guards
            and not statement.flags & LAZY
            and (handler_of(facts, statement, missing_module=True) or (1, False))[0]
            for module in statement.modules
        )

    def _provided(self, path: str) -> Set[str]:
        found: set[str] = set()
        folder = parent_of(path)
        places = [path]
        while True:
            places.append(f"{folder}/conftest.py" if folder else "conftest.py")
            if not folder:
                break
            folder = parent_of(folder)
        for place in places:
            strings, module = self._facts.get(place), self._modules.facts.get(place)
            found.update(strings.provides if strings is not None else ())
            found.update((*module.provides, *module.provides_later) if module is not None else ())
        return found


def _is_replaced(facts: StringsFacts, use: StringUse, index: int) -> bool:
    """Whether the file puts something else, a double most likely, in the place of what lacks the attribute: in the same
    function, or in one that is no test itself (a fixture, a helper, what decorates the class)."""
    path = _full_path(facts, use).split(".")
    leading = len(path) - len(use.text.split(".")) + index
    holders = {".".join(path[:end]) for end in range(2, leading + 1)}
    return any(
        (other.way == PATCH or other.api.endswith(".setattr"))
        and (other.symbol == use.symbol or not other.symbol.rpartition(".")[2].startswith("test"))
        and _full_path(facts, other) in holders
        for other in facts.uses
    )


def _full_path(facts: StringsFacts, use: StringUse) -> str:
    """What a use names, with what its text is looked for in."""
    if use.base < 0:
        return use.text.replace(":", ".")
    base = facts.refs[use.base]
    return ".".join(part for part in ("." * base.level + base.module, base.name, use.text) if part)


FAMILY: Final[Family[StringsFacts, Strings]] = Family(
    "strings", 4, StringsFacts, Strings, see_python=StringCollector, letters=("IMP",)
)
