"""Test code of the tree that production code imports."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from typing import Final

import msgspec

from guard.checks.layout import Target
from guard.checks.module_facts import ASSERTED, CONDITIONAL, DEAD, PLATFORM, TYPING, Alias, Import
from guard.dependencies.imports import ImportsOut, ThirdParty, imports_out, is_guarded
from guard.model import Impact
from guard.program import Program

_MUST_NOT_RUN: Final = TYPING | DEAD | PLATFORM | ASSERTED | CONDITIONAL
_ON_PURPOSE: Final = re.compile(
    r"^_?(?:test|testing|test_?utils?|test_?helpers?|testclient|pytest_\w+|\w+_pytest|fixtures?|mocks?|fakes?)$"
    r"|^test_\w+$|^\w+_tests?$"
)
"""Names of folders and modules that help those who test, or look as if they did."""


class TestImport(msgspec.Struct, frozen=True):
    """One import of test code by production code."""

    __test__ = False

    path: str
    statement: Import
    alias: Alias | None
    module: str
    """As the import names it."""
    target: str
    """The file that it leads to."""
    place: str
    """The folder or file that is for tests."""


def test_imports(program: Program) -> Iterator[TestImport]:
    """Every import by which production code needs test code, in order of path and line."""
    imports = imports_out(program)
    for path, facts in imports.modules.facts.items():
        if imports.reach.kind(path) is not Impact.RUNTIME:
            continue
        statements = [one for one in facts.imports if not one.flags & _MUST_NOT_RUN and _may_lead_to_tests(one)]
        if not statements or imports.purpose(path) in (Impact.TESTS, Impact.TOOLING):
            continue
        if path.endswith(".pyi") or _is_for_testing(path):
            continue
        for statement in statements:
            if "test" in statement.symbol.lower():
                continue
            for target, alias, module in _targets(imports, path, statement):
                place = imports.tests.place_of(target.path)
                found = ThirdParty(path, statement, alias, module)
                if not place or is_guarded(facts, found):
                    continue
                if _within(path, place) or not _is_needed(imports, found, target.path, place):
                    continue
                if imports.serves_tests(path):
                    continue
                yield TestImport(path, statement, alias, module, target.path, place)
                if alias is None:
                    break


test_imports.__test__ = False  # type: ignore[attr-defined]


def _may_lead_to_tests(statement: Import) -> bool:
    """Whether a name in the statement looks like one for tests; most do not, and are settled here."""
    if statement.level >= 0 and ("test" in statement.module or "e2e" in statement.module):
        return True
    return any("test" in alias.name or "e2e" in alias.name for alias in statement.aliases)


def _targets(imports: ImportsOut, path: str, statement: Import) -> Iterator[tuple[Target, Alias | None, str]]:
    """The files of the tree that a statement imports: modules, and modules that are taken from packages."""
    layout = imports.modules.layout
    if statement.level < 0:
        for alias in statement.aliases:
            resolution = imports.modules.resolve(path, 0, alias.name)
            if not resolution.doubtful:
                yield from ((target, alias, alias.name) for target in resolution.targets[:1])
        return
    resolution = imports.modules.resolve(path, statement.level, statement.module)
    shown = "." * statement.level + statement.module
    for target in resolution.targets[:1] if not resolution.doubtful else ():
        folder = layout.folder_of(target)
        below = []
        for alias in statement.aliases if folder is not None else ():
            step = layout.step(folder or "", alias.name)
            if step is not None and step.kind in ("module", "package"):
                below.append((step, alias, f"{shown}.{alias.name}"))
        if target.kind == "module" or len(below) < len(statement.aliases):
            yield target, None, shown
        yield from below


def _is_for_testing(path: str) -> bool:
    """Whether a production file is, by its name or its folder's, one that helps those who test: `pkg/testing/`."""
    parts = path.removesuffix(".py").split("/")
    return any(_ON_PURPOSE.match(part) for part in parts)


def _within(path: str, place: str) -> bool:
    return path == place or path.startswith(f"{place}/")


def _is_needed(imports: ImportsOut, found: ThirdParty, target: str, place: str) -> bool:
    """Whether the import fails, or brings a test framework along, where the code is deployed.

    A library may ship folders named `tests` inside its package, and use them; then only what needs a test framework, or
    is itself a test, is test code for certain.
    """
    if imports.tests.is_no_test(place):
        return False
    if imports.tests.is_top(place) or not imports.is_library(found.path):
        return True
    if not imports.certainly_runs(found):
        return False
    is_conftest = posixpath.basename(target) == "conftest.py"
    return is_conftest or imports.tests.uses_framework(target) or imports.tests.is_test(target)
