"""A class of the program, and what it inherits."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Final, Protocol

import msgspec

from guard.checks.classes_facts import (
    Body,
    ClassesFacts,
    ClassFacts,
    Signature,
)
from guard.checks.modules import Definition, External
from guard.checks.packing import unpack
from guard.checks.references import Ref

INSTALLED: Final = "\0"
"""Begins the paths of installed files, which no path of a tree does."""


class Class(msgspec.Struct, frozen=True, eq=False, dict=True):
    """One class of the program."""

    path: str
    header: ClassFacts

    @property
    def qualname(self) -> str:
        """Its name inside the file: `Outer.Inner`."""
        return self.header.name

    @property
    def name(self) -> str:
        """Its name without what it stands in."""
        return self.header.name.rpartition(".")[2]

    @property
    def is_installed(self) -> bool:
        """Whether it stands in an installed package, and not in the tree."""
        return self.path.startswith(INSTALLED)

    @property
    def line(self) -> int:
        """Where its class statement stands in the file."""
        return self.header.line

    @cached_property
    def facts(self) -> Body:
        """What its statement and its methods say."""
        return unpack(self.header.body, Body)

    @cached_property
    def bound(self) -> frozenset[str]:
        """The names that its statement binds."""
        return frozenset(self.facts.names)

    @cached_property
    def fields(self) -> Mapping[str, int]:
        """The class that each field's annotation names, UNKNOWN for none."""
        return {field.name: field.type for field in self.facts.fields}

    @cached_property
    def typed(self) -> Mapping[str, int]:
        """The class of what methods assign to attributes of `self`, as `Typed` has it."""
        return {typed.name: typed.type for typed in self.facts.typed}

    def signature(self, method: str) -> Signature | None:
        """The signature of a constructor in the class's own body; None where it is not known or not there."""
        return next((signature for name, signature in self.facts.signatures if name == method), None)

    def defines(self, method: str) -> bool:
        """Whether the class's own body binds a constructor of that name."""
        return any(name == method for name, _ in self.facts.signatures)


class Lineage(msgspec.Struct, frozen=True):
    """The method resolution order of a class."""

    classes: tuple[Class, ...]
    """The first-party ones, the class itself first."""
    externals: tuple[External, ...]
    """Bases that are not first-party, those without any say left out."""
    complete: bool
    """Whether every base was found, and their order is Python's."""

    @property
    def closed(self) -> bool:
        """Whether nothing but `classes` says what an instance is."""
        return self.complete and not self.externals


class Outside(Protocol):
    """Classes of installed packages. Their paths are no paths of the tree."""

    def definition(self, path: str, found: External) -> Definition | None:
        """Where something is defined that a file takes from a package; None where that is not known."""

    def follow(self, path: str, ref: Ref) -> Definition | External | None:
        """What a reference of a file of a package stands for."""

    def facts(self, path: str) -> ClassesFacts | None:
        """What is known of the classes of such a file."""
