"""Which files of a tree are there for tests only, by where they lie and what they hold."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from typing import Final

from guard.checks.module_facts import LAZY, TYPING
from guard.checks.modules import Modules
from guard.checks.roots import parent_of

_FOLDERS: Final = frozenset(
    {"tests", "test", "e2e", "unit_tests", "integration_tests", "functional_tests", "system_tests", "acceptance_tests"}
)
_NAMED_SO: Final = re.compile(r"^(?:test_\w+|\w+_tests?|tests_\w+)$")
_FRAMEWORKS: Final = frozenset(
    {"pytest", "unittest", "nose", "nose2", "hypothesis", "doctest", "behave", "testcontainers"}
)


class TestPlaces:
    """The test code of one tree."""

    __test__ = False

    def __init__(self, modules: Modules) -> None:
        self._modules = modules
        self._places: dict[str, str] = {}
        self._tests_in: dict[str, bool] = {}

    def place_of(self, path: str) -> str:
        """The folder or file for tests that a file is in; empty for a file that may be meant for production."""
        if path not in self._places:
            self._places[path] = self._find(path)
        return self._places[path]

    def _find(self, path: str) -> str:
        name = posixpath.basename(path).removesuffix(".py")
        if name == "conftest" and path.endswith(".py"):
            return path
        parts = path.split("/")
        for depth, part in enumerate(parts[:-1]):
            folder = "/".join(parts[: depth + 1])
            if part in _FOLDERS or (_NAMED_SO.match(part) and self.is_top(folder) and self._holds_tests(folder)):
                return folder
        return path if _NAMED_SO.match(name) and self.is_test(path) else ""

    def possible(self, path: str) -> Iterator[str]:
        """Every folder or file that `place_of` may give for a file, whatever else is in these folders."""
        name = posixpath.basename(path).removesuffix(".py")
        parts = path.split("/")
        for depth, part in enumerate(parts[:-1]):
            if part in _FOLDERS or _NAMED_SO.match(part):
                yield "/".join(parts[: depth + 1])
        if name == "conftest" or _NAMED_SO.match(name):
            yield path

    def is_top(self, folder: str) -> bool:
        """Whether a folder or file is a top-level one: what it stands in is no package."""
        return parent_of(folder) not in self._modules.layout.packages

    def _holds_tests(self, folder: str) -> bool:
        """Whether the modules of a folder, those of its folders for tests left out, use a test framework."""
        if folder not in self._tests_in:
            inside = [
                path
                for path in self._modules.facts
                if path.startswith(f"{folder}/") and _FOLDERS.isdisjoint(path[len(folder) :].split("/"))
            ]
            using = sum(self.uses_framework(path) for path in inside)
            self._tests_in[folder] = using > 0 and using * 20 >= len(inside)
        return self._tests_in[folder]

    def uses_framework(self, path: str) -> bool:
        """Whether importing a file imports a test framework."""
        facts = self._modules.facts.get(path)
        return facts is not None and any(
            name.partition(".")[0] in _FRAMEWORKS
            for statement in facts.imports
            if statement.level <= 0 and not statement.flags & (LAZY | TYPING)
            for name in statement.modules
        )

    def is_test(self, path: str) -> bool:
        """Whether a module is one that a test runner would run, and has nothing else to offer."""
        facts = self._modules.facts.get(path)
        if facts is None:
            return False
        tests = sum(name.startswith("test_") for name in facts.definitions)
        classes = sum(name.startswith("Test") for name in facts.definitions)
        return (tests + classes > 0 and self.uses_framework(path)) or tests * 2 > len(facts.definitions)
