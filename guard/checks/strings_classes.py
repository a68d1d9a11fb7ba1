"""What classes themselves have, as far as class statements say: enough to tell that an attribute is not there.

Less than the family of classes knows, and far cheaper: no instances, no types, no calls.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Final

import msgspec

from guard.checks.class_texts import may_set, sets_on_self
from guard.checks.modules import Definition, External, Modules
from guard.checks.packing import unpack
from guard.checks.references import Ref, reference_of_name
from guard.nodes import mangled
from guard.program import at_hand
from guard.scopes import BindingKind, Scope, dotted

if TYPE_CHECKING:
    from guard.checks.strings_facts import StringsFacts
    from guard.program import Program

_TRANSPARENT: Final = frozenset(
    {
        *(External("abc", "ABC"), External("builtins", "object")),
        *(External(module, name) for module in ("typing", "typing_extensions") for name in ("Generic", "Protocol")),
    }
)
"""Bases whose attributes all have underscores around them."""
_HARMLESS: Final = frozenset(
    {"dataclasses.dataclass", "functools.total_ordering", "typing.final", "typing.runtime_checkable"}
)

"""Decorators that give back the class itself, and no attribute without underscores around it."""
_OPENING: Final = frozenset({"__slots__", "__init_subclass__"})
_OF_EVERY_CLASS: Final = frozenset(dir(type))
_TESTS: Final = re.compile(r"Test|.*(Test|Tests|TestCase)$")
_BUILTINS: Final = frozenset(dir(builtins))


class ClassNames(msgspec.Struct, frozen=True, array_like=True):
    """One class statement."""

    line: int
    bases: tuple[Ref | None, ...]
    names: tuple[str, ...]
    """Bound in its body. Sorted."""
    open: bool = False
    """It may have any attribute: a decorator, a metaclass or an option of it is not known, or it has slots."""


def classes_in(module: Scope) -> dict[str, ClassNames]:
    """The classes of a file by qualified name, those in functions and those of tests left out."""
    found: dict[str, ClassNames] = {}
    waiting = [module]
    while waiting:
        for scope in waiting.pop().inner:
            node = scope.node
            if isinstance(node, ast.ClassDef) and not _TESTS.match(node.name):
                waiting.append(scope)
                known = _class(node, scope)
                twice = scope.qualname in found
                found[scope.qualname] = msgspec.structs.replace(known, open=True) if twice else known
    return found


def _class(node: ast.ClassDef, scope: Scope) -> ClassNames:
    outer = scope.parent or scope
    names = sorted(
        [
            mangled(name, node.name)
            for name, bindings in scope.bindings.items()
            if len(bindings) > 1 or bindings[0].kind is not BindingKind.DECLARED or bindings[0].context.branch
        ]
    )
    is_open = (
        not all(_is_harmless(decorator, outer) for decorator in node.decorator_list)
        or any(keyword.arg != "metaclass" or not _is_abc(keyword.value, outer) for keyword in node.keywords)
        or not _OPENING.isdisjoint(names)
    )
    return ClassNames(node.lineno, tuple(_base(base, outer) for base in node.bases), tuple(names), is_open)


def _full_name(node: ast.expr, scope: Scope) -> str:
    """The dotted name by which an expression's value is known outside of the file; empty where that is not certain."""
    text = dotted(node)
    ref = reference_of_name(text, scope) if text else None
    return "" if ref is None or ref.level or ref.is_local else f"{ref.module}.{ref.name}"


def _is_harmless(node: ast.expr, scope: Scope) -> bool:
    if isinstance(node, ast.Call):
        if any(keyword.arg in (None, "slots") for keyword in node.keywords):
            return False
        node = node.func
    return _full_name(node, scope) in _HARMLESS


def _is_abc(node: ast.expr, scope: Scope) -> bool:
    return _full_name(node, scope) == "abc.ABCMeta"


def _base(node: ast.expr, scope: Scope) -> Ref | None:
    if isinstance(node, ast.Subscript):
        node = node.value
    text = dotted(node)
    if text in _BUILTINS and scope.lookup(text) is None:
        return Ref(0, "builtins", text)
    return reference_of_name(text, scope) if text else None


class Class(msgspec.Struct, frozen=True):
    """A class of the program."""

    path: str
    qualname: str

    @property
    def name(self) -> str:
        """Its name without what it stands in."""
        return self.qualname.rpartition(".")[2]


class ClassLookup:
    """Finds classes, and what they lack."""

    def __init__(self, program: Program, modules: Modules, facts: Mapping[str, StringsFacts]) -> None:
        self._program = program
        self._modules = modules
        self._facts = facts
        self._classes: dict[str, Mapping[str, ClassNames]] = {}
        self._texts: dict[str, str] = {}

    def named(self, path: str, qualname: str) -> Class | None:
        """The class statement of a file with that name."""
        return Class(path, qualname) if qualname in self._in(path) else None

    def line_of(self, cls: Class) -> int:
        """Where its statement stands."""
        return self._in(cls.path)[cls.qualname].line

    def names_of(self, cls: Class) -> tuple[str, ...]:
        """What its body binds."""
        return self._in(cls.path)[cls.qualname].names

    def _in(self, path: str) -> Mapping[str, ClassNames]:
        found = self._classes.get(path)
        if found is None:
            facts = self._facts.get(path)
            found = self._classes[path] = {} if facts is None else unpack(facts.classes, dict[str, ClassNames])
        return found

    def lacks(self, cls: Class, name: str) -> bool:
        """Whether the class certainly has no attribute of that name."""
        if name in _OF_EVERY_CLASS or (name.startswith("__") and name.endswith("__")):
            return False
        lineage: dict[Class, None] = {}
        waiting = [cls]
        while waiting:
            one = waiting.pop()
            if one in lineage:
                continue
            lineage[one] = None
            found = self._in(one.path)[one.qualname]
            if found.open or name in found.names:
                return False
            for ref in found.bases:
                base = self._base(one.path, ref)
                if base is None:
                    return False
                if isinstance(base, Class):
                    waiting.append(base)
        return not any(self._may_be_set(one, name) for one in lineage)

    def _base(self, path: str, ref: Ref | None) -> Class | External | None:
        """A base class: one of the program, one that brings no attribute, or None for any other."""
        if ref is None:
            return None
        found = External("builtins", ref.name) if ref.module == "builtins" else self._modules.follow(path, ref)
        if isinstance(found, Definition):
            return self.named(found.path, found.name)
        return found if found in _TRANSPARENT else None

    def _may_be_set(self, cls: Class, name: str) -> bool:
        """Whether something may give the class the attribute in a way that its statement does not say."""
        if name in self._set_from_elsewhere.get(cls.path, ()):
            return True
        return any(may_set(self._text(cls.path), written) for written in _spellings(cls, name))

    @cached_property
    def _set_from_elsewhere(self) -> Mapping[str, frozenset[str]]:
        """By file: the attributes that other modules set, while they are imported, on what it holds."""
        found: dict[str, set[str]] = {}
        for path, facts in at_hand(self._modules.facts).items():
            for ref, name in facts.plants:
                owner = self._modules.follow(path, ref)
                if isinstance(owner, Definition):
                    found.setdefault(owner.path, set()).add(name)
        return {path: frozenset(names) for path, names in found.items()}

    def is_on_instances(self, cls: Class, name: str) -> bool:
        """Whether the class's file sets the attribute on `self`, or annotates it as a field."""
        return any(sets_on_self(self._text(cls.path), written) for written in _spellings(cls, name))

    def _text(self, path: str) -> str:
        if path not in self._texts:
            contents = self._program.tree.read_many([path], 1 << 24)
            self._texts[path] = "".join(content.decode("utf-8", "replace") for _, content in contents)
        return self._texts[path]


def _spellings(cls: Class, name: str) -> tuple[str, ...]:
    """How an attribute may be written: in the class itself without what Python puts before a private name."""
    prefix = mangled("__x", cls.name).removesuffix("__x")
    return (name, name.removeprefix(prefix)) if name.startswith(f"{prefix}__") and prefix else (name,)
