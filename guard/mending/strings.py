"""How strings that name modules and attributes can be mended.

What a patch replaces is looked up in the module that the string names: that its value is defined somewhere else today
says nothing of where it is looked up. So such a string is mended only where the whole module has another name, or the
module has the attribute by another name.
"""

from __future__ import annotations

from guard.checks.modules import FAMILY
from guard.checks.strings import BrokenString
from guard.checks.strings_commands import BrokenEntryPoint
from guard.checks.strings_facts import IMPORT, LAST_ONLY, OBJECT, PATCH, RUN
from guard.checks.strings_resolve import Lost
from guard.mending.imports import Lookup, Mending, best_of, holds
from guard.program import Program
from guard.where import Certainty, Replacement, where


def string_mending(program: Program, broken: BrokenString, look_up: Lookup | None = None) -> Mending | None:
    """How a string of a Python file can be mended; None where what it should name is not even likely.

    It is safe where the place is certain, the attribute keeps its name, and nothing swallows the failure.
    """
    use = broken.use
    if use.base >= 0 or use.flags & LAST_ONLY:
        return None  # what it is looked for in stands somewhere else
    return _mended(program, broken.path, use.text, broken.lost, use.way, look_up, swallowed=bool(use.swallowed_line))


def entry_point_mending(program: Program, broken: BrokenEntryPoint, look_up: Lookup | None = None) -> Mending | None:
    """How an entry point can be mended, as a string that is resolved by its module and its attribute."""
    way = OBJECT if broken.entry.attribute else IMPORT
    return _mended(program, broken.entry.path, broken.shown, broken.lost, way, look_up, swallowed=False)


def _mended(
    program: Program, path: str, text: str, lost: Lost, way: int, look_up: Lookup | None, *, swallowed: bool
) -> Mending | None:
    if lost.cls is not None:
        return None
    parts = text.replace(":", ".").split(".")
    found = None
    if not lost.as_module:
        found = _of_attribute(program, path, parts, lost, way, look_up)
    # What a package does not have may have been a module of it.
    if found is None and (lost.as_module or any(target.kind != "module" for target in lost.targets)):
        found = _of_module(program, path, parts, lost, way, look_up)
    if found is None:
        return None
    best, module, attributes = found
    new = ".".join((module, *attributes))
    if ":" in text and attributes:
        new = f"{module}:{'.'.join(attributes)}"
    if new == text:
        return None
    renamed = bool(best.name) and best.name not in parts
    safe = best.certainty is Certainty.CERTAIN and not renamed and not swallowed
    return Mending({text: new}, safe, f"name {new} in its stead")


_Found = tuple[Replacement, str, list[str]] | None
"""What stands in, its module as the string would name it, and the attributes behind that."""


def _of_module(program: Program, path: str, parts: list[str], lost: Lost, way: int, look_up: Lookup | None) -> _Found:
    """For a module that is not there. It is not known where its name ends: the longest one that went somewhere."""
    modules = program.linked(FAMILY)
    look_up = look_up or where(program).replacements
    shortest = len(parts) if way in (IMPORT, RUN) else lost.index + 1
    longest = len(parts) if way in (IMPORT, RUN) else len(parts) - 1
    for end in range(longest, shortest - 1, -1):
        module, attributes = ".".join(parts[:end]), parts[end:]
        whole = best_of(look_up, path, module, "")
        if whole is not None and holds(modules, path, whole.module, attributes[0] if attributes else "", whole):
            return whole, whole.module, attributes
        best = best_of(look_up, path, module, attributes[0]) if attributes and way != PATCH else None
        if best is not None and holds(modules, path, best.module, best.name, best):
            return best, best.module, [best.name, *attributes[1:]]
    return None


def _of_attribute(
    program: Program, path: str, parts: list[str], lost: Lost, way: int, look_up: Lookup | None
) -> _Found:
    """For an attribute that a module does not have."""
    modules = program.linked(FAMILY)
    if look_up is None:
        index = where(program)
        look_up = index.respelt if way == PATCH else index.replacements
    best = best_of(look_up, path, lost.holder, lost.name)
    if best is None or not best.name or not holds(modules, path, best.module, best.name, best):
        return None
    if way == PATCH and best.path not in {target.path for target in lost.targets}:
        return None
    return best, best.module, [best.name, *parts[lost.index + 1 :]]
