"""What a finding says of where something may be: its help, and its data."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from guard.checks.broken_imports import BrokenImport
from guard.where.answers import Certainty, Replacement
from guard.where.candidates import Where

_MOST: Final = 3
"""Candidates of one name in a finding."""


class Hints:
    """The way out of a broken import."""

    def __init__(self, where: Where) -> None:
        self._where = where

    def help(self, broken: BrokenImport) -> str:
        """One or two sentences: where the same name or module is today, or what else can be done."""
        return self.help_for(shown(broken), taken(broken), broken.path, missing_module=not broken.name)

    def candidates(self, broken: BrokenImport) -> list[dict[str, object]]:
        """What may stand in for each missing name, and for a missing module, the best first; for `data`."""
        return self.candidates_for(shown(broken), taken(broken), broken.path)

    def help_for(self, module: str, names: Sequence[str], origin: str, *, missing_module: bool) -> str:
        """The help for `names` that the file `origin` asks of `module` in vain. With `missing_module` it is the module
        that is not there, and there may be no names."""
        found = {name: self._of(module, name, origin) for name in names}
        named = {name: candidates for name, candidates in found.items() if candidates}
        likely = {name: one[0] for name, one in named.items() if one[0].certainty is not Certainty.POSSIBLE}
        if likely and len(likely) == len(found):
            return _import_from(likely)
        if named:
            return " ".join(_defined_in(name, candidates) for name, candidates in list(named.items())[:_MOST])
        absolute = self._where.absolute(module, origin)
        if not missing_module:
            asked = f"{absolute}:{names[0]}" if absolute else names[0]
            return f"Nothing in this tree defines {names[0]} any more: `guard trace {asked}` tells what took it away."
        modules = self._of(module, "", origin)
        if modules:
            return f"A module of that name is at {_listed(one.path for one in modules)}."
        return (
            f"Nothing of that name is in this tree: `guard trace {absolute}` tells what took it away. "
            f"Delete the import with what uses it, or bring the module back."
        )

    def candidates_for(self, module: str, names: Sequence[str], origin: str) -> list[dict[str, object]]:
        """What may stand in for names of a module, or for the module where there are none."""
        return [entry(name, one) for name in names or [""] for one in self._of(module, name, origin)[:_MOST]]

    def _of(self, module: str, name: str, origin: str) -> tuple[Replacement, ...]:
        return self._where.replacements(module, name, origin)


def taken(broken: BrokenImport) -> list[str]:
    """The names that a broken import asks for in vain, in their order."""
    if broken.name:
        return [broken.name]
    if broken.statement.level < 0:
        return []
    return list(dict.fromkeys(alias.name for alias in broken.statement.aliases if alias.name != "*"))


def shown(broken: BrokenImport) -> str:
    """The module as the import names it, dots included."""
    return "." * max(broken.statement.level, 0) + broken.module


def _import_from(found: dict[str, Replacement]) -> str:
    """Where to import every one of the names from."""
    modules: dict[str, list[str]] = {}
    for name, one in found.items():
        modules.setdefault(one.module, []).append(name if one.name == name else f"{one.name} (for {name})")
    where = "; ".join(f"{', '.join(names)} from {module}" for module, names in modules.items())
    why = next(iter(found.values())).reasons[0] if len(found) == 1 else ""
    return f"Import {where}{f': {why}' if why else ''}."


def _defined_in(name: str, found: tuple[Replacement, ...]) -> str:
    """The places that a name may be meant to be taken from."""
    same = [one for one in found if one.name == name]
    if not same:
        return f"Is {_listed(f'{one.module}.{one.name}' for one in found)} meant?"
    return f"{name} is defined in {_listed(one.path or one.module for one in same)}."


def _listed(words: Iterable[str]) -> str:
    every = list(dict.fromkeys(words))
    more = len(every) - _MOST
    return ", ".join(every[:_MOST]) + (f" and {more} more" if more > 0 else "")


def entry(name: str, one: Replacement) -> dict[str, object]:
    """A candidate for `name`, as a finding's data has it."""
    return {
        "for": name,
        "certainty": str(one.certainty),
        "module": one.module,
        "name": one.name,
        "kind": one.kind,
        "path": one.path,
        "line": one.line,
        "reasons": list(one.reasons),
    }
