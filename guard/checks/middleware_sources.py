"""The facts of every file by name, and what a reference leads to among them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from guard.checks.middleware_facts import Class, Def, Expr, Facts, Flow, Free, Function
from guard.checks.middleware_frameworks import framework_of
from guard.checks.middleware_stack import ClassAt, FunctionAt
from guard.checks.modules import Definition, External, Modules
from guard.checks.references import Ref

_FRAMEWORK: Final = re.compile(r"(?:^|/)((?:starlette|fastapi)/[\w/]+)\.py$")


def _framework(found: Definition | External | None) -> Definition | External | None:
    """A class of the framework is the same thing where the framework's own sources are in the tree."""
    match = _FRAMEWORK.search(found.path) if isinstance(found, Definition) else None
    if match is None or not isinstance(found, Definition):
        return found
    return External(match[1].removesuffix("/__init__").replace("/", "."), found.name)


class Sources:
    """Functions, classes and request code of the tree, by path and qualified name."""

    def __init__(self, facts: Mapping[str, Facts], modules: Modules) -> None:
        self.facts = facts
        self._modules = modules
        self._functions = {path: {f.name: f for f in file.functions} for path, file in facts.items()}
        self._classes = {path: {c.name: c for c in file.classes} for path, file in facts.items()}
        self._flows = {path: {f.name: f for f in file.flows} for path, file in facts.items()}
        self._followed: dict[tuple[str, Ref], Definition | External | None] = {}
        self._lines: dict[ClassAt, tuple[ClassAt | External | None, ...]] = {}

    def function(self, path: str, name: str) -> Function | None:
        """The set-up code of a function."""
        return self._functions.get(path, {}).get(name)

    def functions(self, path: str) -> Mapping[str, Function]:
        """All set-up code of a file, by name; the module's own has the empty one."""
        return self._functions.get(path, {})

    def cls(self, at: ClassAt) -> Class | None:
        """What is remembered of a class."""
        return self._classes.get(at.path, {}).get(at.name)

    def flow(self, path: str, name: str) -> Flow | None:
        """The request code of a function."""
        return self._flows.get(path, {}).get(name)

    def follow(self, path: str, ref: Ref) -> Definition | External | None:
        """`Modules.follow`, remembered; also to a name that a module binds more than once."""
        key = (path, ref)
        if key not in self._followed:
            self._followed[key] = _framework(self._modules.follow(path, ref) or self._in_module(path, ref))
        return self._followed[key]

    def _in_module(self, path: str, ref: Ref) -> Definition | None:
        if ref.is_local or not ref.name:
            return None
        resolution = self._modules.resolve(path, ref.level, ref.module)
        if resolution.missing is not None or resolution.unknown or len(resolution.targets) != 1:
            return None
        target = resolution.targets[0].path
        if target not in self.facts or "." in ref.name or ref.name in self._functions[target]:
            return None  # a function that is defined twice is none of the two
        return Definition(target, ref.name)

    def class_of(self, path: str, value: Expr) -> ClassAt | External | None:
        """The class that an expression names, where that is certain."""
        if isinstance(value, Def):
            return ClassAt(path, value.name)
        if not isinstance(value, Free):
            return None
        found = self.follow(path, value.ref)
        if isinstance(found, Definition):
            at = ClassAt(found.path, found.name)
            return at if self.cls(at) is not None else None
        return found

    def ancestors(self, at: ClassAt) -> tuple[ClassAt | External | None, ...]:
        """The class and its bases, nearest first; None for a base that is unknown."""
        known = self._lines.get(at)
        if known is None:
            known = self._lines[at] = tuple(dict.fromkeys(self._ancestors(at, frozenset())))
        return known

    def _ancestors(self, at: ClassAt, seen: frozenset[ClassAt]) -> Iterator[ClassAt | External | None]:
        yield at
        cls = self.cls(at)
        if cls is None or at in seen:
            yield None
            return
        for base in cls.bases:
            found = self.class_of(at.path, base)
            if isinstance(found, ClassAt):
                yield from self._ancestors(found, seen | {at})
            else:
                yield found

    def method(self, at: ClassAt, name: str, *, behind: ClassAt | None = None) -> FunctionAt | None:
        """Where a class or its bases define a method; with `behind`, only those that come after that class."""
        started = behind is None
        for ancestor in self.ancestors(at):
            if isinstance(ancestor, ClassAt) and started:
                cls = self.cls(ancestor)
                if cls is not None and name in cls.methods:
                    return FunctionAt(ancestor.path, f"{ancestor.name}.{name}")
            started = started or ancestor == behind
        return None

    def application_kind(self, at: ClassAt) -> External | None:
        """The framework's class that a class of the tree extends, if it is one of an application."""
        for ancestor in self.ancestors(at):
            if isinstance(ancestor, External) and framework_of(ancestor) is not None:
                return ancestor
        return None

    def is_layer(self, at: ClassAt) -> bool:
        """Whether a class can be a layer: it answers to `__call__`, or extends a middleware."""
        if self.method(at, "__call__") is not None:
            return True
        return any(isinstance(a, External) and a.name.endswith("Middleware") for a in self.ancestors(at))
