"""Which files of a tree are there for tests only, by where they lie and what they hold."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import Final

from guard.checks.module_facts import LAZY, TYPING, ModuleFacts
from guard.checks.modules import Modules
from guard.checks.roots import parent_of

_FOLDERS: Final = frozenset(
    {"tests", "test", "e2e", "unit_tests", "integration_tests", "functional_tests", "system_tests", "acceptance_tests"}
)
_NAMED_SO: Final = re.compile(r"^(?:test_\w+|\w+_tests?|tests_\w+)$")
_FRAMEWORKS: Final = frozenset(
    {"pytest", "unittest", "nose", "nose2", "hypothesis", "doctest", "behave", "testcontainers"}
)


def counts_for(folder: str, path: str) -> bool:
    """Whether a module says something of whether a folder above it, whose name does not tell, is one for tests."""
    below = path.removeprefix(f"{folder}/")
    return below != path and folder.rpartition("/")[2] not in _FOLDERS and _FOLDERS.isdisjoint(below.split("/"))


def are_tests(using: int, every: int) -> bool:
    """Whether a folder is one for tests, by how many of its modules use a test framework."""
    return using > 0 and using * 20 >= every


class TestPlaces:
    """The test code of one tree."""

    __test__ = False

    def __init__(self, modules: Modules, counted: Mapping[str, tuple[int, int]] | None = None) -> None:
        """`counted` is what `counted` gives, for a run that does not look at all modules."""
        self._modules = modules
        self._counted = counted
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

    def is_among_tests(self, path: str) -> bool:
        """Whether a folder above a file is named as one for tests, and holds some, wherever it lies."""
        parts = path.split("/")
        return any(
            _NAMED_SO.match(part) is not None and self._holds_tests("/".join(parts[: depth + 1]))
            for depth, part in enumerate(parts[:-1])
        )

    def possible(self, path: str) -> Iterator[str]:
        """Every folder or file that `place_of` may give for a file, whatever else is in these folders."""
        name = posixpath.basename(path).removesuffix(".py")
        parts = path.split("/")
        for depth, part in enumerate(parts[:-1]):
            if part in _FOLDERS or _NAMED_SO.match(part):
                yield "/".join(parts[: depth + 1])
            if part in _FOLDERS:
                return
        if name == "conftest" or _NAMED_SO.match(name):
            yield path

    def is_top(self, folder: str) -> bool:
        """Whether a folder or file is a top-level one: what it stands in is no package."""
        return parent_of(folder) not in self._modules.layout.packages

    def is_no_test(self, folder: str) -> bool:
        """Whether a folder `test` of a package holds no tests: it is the application's own word, of exams perhaps."""
        if folder.rpartition("/")[2] != "test" or self.is_top(folder):
            return False
        inside = f"{folder}/"
        return not any(
            path.startswith(inside) and speaks_of_tests(path, facts) for path, facts in self._modules.facts.items()
        )

    def _holds_tests(self, folder: str) -> bool:
        """Whether the modules of a folder, those of its folders for tests left out, use a test framework."""
        if folder not in self._tests_in:
            if self._counted is not None:
                using, every = self._counted.get(folder, (0, 0))
            else:
                inside = [path for path in self._modules.facts if counts_for(folder, path)]
                using, every = sum(self.uses_framework(path) for path in inside), len(inside)
            self._tests_in[folder] = are_tests(using, every)
        return self._tests_in[folder]

    def counted(self) -> Mapping[str, tuple[int, int]]:
        """By each folder that is named as one for tests, how many of its modules use a test framework, and how many
        there are, those of its folders for tests left out."""
        found: dict[str, tuple[int, int]] = {}
        for path in self._modules.facts:
            for folder in self.possible(path):
                if counts_for(folder, path):
                    using, every = found.get(folder, (0, 0))
                    found[folder] = using + self.uses_framework(path), every + 1
        return found

    def uses_framework(self, path: str) -> bool:
        """Whether importing a file imports a test framework."""
        facts = self._modules.facts.get(path)
        return facts is not None and uses_framework(facts)

    def is_test(self, path: str) -> bool:
        """Whether a module is one that a test runner would run, and has nothing else to offer."""
        facts = self._modules.facts.get(path)
        return facts is not None and is_test(facts)


def speaks_of_tests(path: str, facts: ModuleFacts) -> bool:
    """Whether a module is named as a test, or uses a test framework."""
    name = posixpath.basename(path)
    return name == "conftest.py" or _NAMED_SO.match(name.removesuffix(".py")) is not None or uses_framework(facts)


def uses_framework(facts: ModuleFacts) -> bool:
    """Whether importing a module imports a test framework."""
    return any(
        name.partition(".")[0] in _FRAMEWORKS
        for statement in facts.imports
        if statement.level <= 0 and not statement.flags & (LAZY | TYPING)
        for name in statement.modules
    )


def is_test(facts: ModuleFacts) -> bool:
    """Whether a module is one that a test runner would run, and has nothing else to offer."""
    tests = sum(name.startswith("test_") for name in facts.definitions)
    classes = sum(name.startswith("Test") for name in facts.definitions)
    return (tests + classes > 0 and uses_framework(facts)) or tests * 2 > len(facts.definitions)
