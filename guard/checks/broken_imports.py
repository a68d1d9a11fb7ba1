"""Imports that can never succeed, with what swallows their failure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from guard.checks.layout import Missing, Resolution, Target
from guard.checks.module_facts import ASSERTED, DEAD, PLATFORM, TYPING, Alias, GuardFact, Import, ModuleFacts
from guard.checks.module_table import Modules

_IMPORT_ERRORS: Final = frozenset({"ImportError", "ModuleNotFoundError", "Exception", "BaseException"})
_NOT_IMPORT_ERRORS: Final = frozenset(
    {
        *(
            "AttributeError",
            "NameError",
            "SyntaxError",
            "ValueError",
            "TypeError",
            "KeyError",
            "OSError",
            "RuntimeError",
        ),
        *("KeyboardInterrupt", "IndexError", "LookupError", "AssertionError", "SystemExit", "NotImplementedError"),
        *("IOError", "EnvironmentError", "FileNotFoundError", "UnicodeDecodeError", "TimeoutError", "ConnectionError"),
        *("StopIteration", "PermissionError", "ArithmeticError", "ZeroDivisionError", "RecursionError", "EOFError"),
    }
)
_USERS_OWN: Final = frozenset({"local", "override", "overrides", "private", "secret", "secrets"})


class BrokenImport(msgspec.Struct, frozen=True):
    """One import, or one name of one, that can never succeed."""

    path: str
    statement: Import
    alias: Alias | None
    """The name at fault; None where the module of a `from` import is what is missing."""
    module: str
    """The absolute or, for a relative import, the written module."""
    name: str
    """The missing name; empty where a module is missing."""
    target: Target
    """For a name: the module that does not bind it. For a module: the last part that is there."""
    found_parts: str
    """The leading part of `module` that does lead somewhere."""
    swallowed_line: int = 0
    """The line of the handler that swallows the failure; 0 where nothing does."""
    retried: bool = False
    """The handler imports an alternative."""


def find_broken(modules: Modules) -> tuple[BrokenImport, ...]:
    """Every first-party import that can never succeed, in order of path and line."""
    found: list[BrokenImport] = []
    for path, facts in modules.facts.items():
        spared = _never_needed(modules, path, facts) if facts.alternatives else ()
        for place, statement in enumerate(facts.imports):
            if statement.flags & (DEAD | PLATFORM | ASSERTED) or place in spared:
                continue
            if statement.level < 0:
                for alias in statement.aliases:
                    resolution = modules.resolve(path, 0, alias.name)
                    if resolution.missing is not None:
                        found += _missing_module(modules, path, statement, alias, alias.name, resolution.missing)
                continue
            resolution = modules.resolve(path, statement.level, statement.module)
            if resolution.missing is not None:
                found += _missing_module(modules, path, statement, None, statement.module, resolution.missing)
            elif resolution.targets and not resolution.doubtful:
                unbound = _unbound(modules, statement, resolution)
                if unbound:
                    found += _missing_names(modules, path, statement, unbound, resolution)
    return tuple(found)


def _never_needed(modules: Modules, path: str, facts: ModuleFacts) -> frozenset[int]:
    """The places of imports that run only when others fail which cannot: they are there for another version of what is
    imported, and this tree has the one that is tried first."""
    succeeds = {number: True for _, number in facts.alternatives}
    for statement in facts.imports:
        for number in succeeds.keys() & set(statement.guards):
            succeeds[number] = succeeds[number] and _succeeds(modules, path, statement)
    return frozenset(place for place, number in facts.alternatives if succeeds[number])


def _succeeds(modules: Modules, path: str, statement: Import) -> bool:
    """Whether all that a statement asks for is in the tree."""
    if statement.level < 0:
        found = [modules.resolve(path, 0, alias.name) for alias in statement.aliases]
        return all(one.targets and not one.doubtful and not one.unknown for one in found)
    resolution = modules.resolve(path, statement.level, statement.module)
    return bool(
        resolution.targets
        and not resolution.doubtful
        and not resolution.unknown
        and not _unbound(modules, statement, resolution)
    )


def _missing_module(
    modules: Modules, path: str, statement: Import, alias: Alias | None, module: str, missing: Missing
) -> Iterator[BrokenImport]:
    if has_made_up_submodules(modules, missing.parent):
        return
    facts = modules.facts[path]
    guard = handler_of(facts, statement, missing_module=True)
    if guard is None or (guard[0] and _is_left_to_the_user(statement)):
        return
    if not is_provided(modules, module, facts):
        there = ".".join(module.split(".")[: missing.index])
        yield BrokenImport(path, statement, alias, module, "", missing.parent, there, *guard)


def _missing_names(
    modules: Modules, path: str, statement: Import, unbound: Sequence[Alias], resolution: Resolution
) -> Iterator[BrokenImport]:
    facts, module = modules.facts[path], statement.module
    if statement.level == 0 and modules.layout.means_namesake(path, module, resolution):
        return
    itself = "." not in module and resolution.targets[0].path == path
    if statement.level == 0 and itself and _is_installed_too(modules, path, module):
        return  # that is no import of the module itself: an installed one of its name is meant
    guard = handler_of(facts, statement, missing_module=False)
    if guard is None or is_provided(modules, module, facts):
        return
    for alias in unbound:
        if not is_provided(modules, f"{module}.{alias.name}", facts) and namespace_is_ours(
            modules, path, statement.level, module, resolution
        ):
            yield BrokenImport(path, statement, alias, module, alias.name, resolution.targets[0], module, *guard)


def _is_installed_too(modules: Modules, path: str, module: str) -> bool:
    """Whether an absolute import of a file's own name means another module: the file is seldom started as a script,
    since it stands in a package, or the tree asks for a distribution that brings a module of that name."""
    return modules.layout.is_below_package(path) or modules.layout.asked_for.names(module)


def _unbound(modules: Modules, statement: Import, resolution: Resolution) -> list[Alias]:
    """The names of the statement that no target binds."""
    typing = bool(statement.flags & TYPING)
    unbound = [alias for alias in statement.aliases if alias.name != "*"]
    for target in resolution.targets:
        unbound = [alias for alias in unbound if not modules.binds(target, alias.name, typing=typing)]
    return unbound


def _is_left_to_the_user(statement: Import) -> bool:
    """Whether it is `from .local import *`: settings of one machine, which are in no repository and may be absent."""
    last = statement.module.rpartition(".")[2]
    return statement.aliases[0].name == "*" and not _USERS_OWN.isdisjoint(last.lower().split("_"))


def namespace_is_ours(modules: Modules, path: str, level: int, module: str, resolution: Resolution) -> bool:
    """Whether a folder without `__init__.py` holds all that its name can lead to."""
    if any(target.kind != "namespace" for target in resolution.targets):
        return True
    if level > 0 or not module:
        return True
    probe = modules.resolve(path, level, f"{module}.guard_looks_for_a_module_that_nobody_has")
    return probe.missing is not None


def is_provided(modules: Modules, module: str, facts: ModuleFacts) -> bool:
    """Whether something puts the module, or one above it, into `sys.modules` by name; or nobody gets here without it,
    since `pytest.importorskip` has asked for one of them."""
    parents = {module[: match.start()] for match in re.finditer(r"\.|$", module)}
    return not (
        parents.isdisjoint(modules.provided)
        and parents.isdisjoint(facts.provides_later)
        and parents.isdisjoint(facts.skips)
    )


def has_made_up_submodules(modules: Modules, parent: Target) -> bool:
    """Whether a plain module puts modules into `sys.modules`, as one does that stands in for a package."""
    facts = modules.facts.get(parent.path) if parent.kind == "module" else None
    return facts is not None and bool(facts.provides)


def swallowed_by(guard: GuardFact) -> bool:
    """Whether a `try` or `suppress` may be there for an import that fails: by the exceptions that it names."""
    names = {name.rpartition(".")[2] for name in guard.catches}
    return not names or bool(names & _IMPORT_ERRORS) or not names <= _NOT_IMPORT_ERRORS


def handler_of(facts: ModuleFacts, statement: Import, *, missing_module: bool) -> tuple[int, bool] | None:
    """The line of the handler that swallows the failure and whether it retries; line 0 for none.

    None where a handler may swallow it: it names an exception that cannot be told.
    """
    for number in reversed(statement.guards):
        guard = facts.guards[number]
        names = {name.rpartition(".")[2] for name in guard.catches}
        if not missing_module:
            names.discard("ModuleNotFoundError")
        catches = not guard.catches or bool(names & _IMPORT_ERRORS)
        if not catches and names - _NOT_IMPORT_ERRORS - {"ModuleNotFoundError"}:
            return None
        if catches and not guard.reraises:
            return guard.handler_line, guard.retries
    return 0, False
