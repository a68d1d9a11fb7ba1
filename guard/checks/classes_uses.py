"""Attributes that code uses and sets: what is remembered of them."""

from __future__ import annotations

import ast
from collections.abc import Set
from typing import TYPE_CHECKING, Final

from guard.checks.classes_body import (
    CONSTRUCTORS,
)
from guard.checks.classes_excuses import BY_CLASS
from guard.checks.classes_facts import (
    AWAITED,
    RETURNED,
    Access,
    Noted,
)
from guard.checks.classes_seen import READS_OF_DICT, STANDARD_LIBRARY, Seen, place
from guard.checks.classes_types import Known, OwnClass, OwnInstance, Receiver, looks_like_class
from guard.checks.references import Ref
from guard.scopes import BindingKind, Context, Scope, dotted

if TYPE_CHECKING:
    from guard.checks.classes_collect import ClassCollector

_LOAD: Final = Access.LOAD
_AUGMENT: Final = Access.AUGMENT
_STORE: Final = Access.STORE
_NOTHING: Final[Set[str]] = frozenset()


def _is_known_elsewhere(ref: Ref) -> bool:
    return ref.module in STANDARD_LIBRARY or (not ref.level and ref.module.partition(".")[0] in STANDARD_LIBRARY)


class Uses(Seen):
    """The attribute chains of one file."""

    def __init__(self, seen: ClassCollector) -> None:
        super().__init__(seen)
        self.readable: dict[Context, int] = {}
        """`_where`, or -1 where an AttributeError is meant."""
        self.groups: dict[tuple[Scope, str], _Group] = {}
        """By scope and name: what is known of it there."""
        self.own_groups: dict[Scope, _Group] = {}
        """By class: what is known of `self`, where the code asks nothing about it."""

    def _chains(self) -> None:
        leading = {name for names in self.typed.values() for name, held in names.items() if any(held)}
        leading.update(name for body in self.bodies.values() for name in body.annotated)
        leading.update(context.scope.private(node.name) for node, context in self.seen.returning if node.decorator_list)
        leading.add("__dict__")
        groups = self.groups
        narrowed = self._narrowed()
        plain = self.seen.plain
        for node, root, attributes, context, access in self.seen.chains:
            key = (context.scope, root)
            group = groups.get(key)
            if group is None:
                group = groups[key] = self._group(root, context.scope)
            if access is _LOAD:
                if root in narrowed:
                    self._load_narrowed(node, root, attributes, context, narrowed[root])
            else:
                self._note_store(node, attributes, context, group, access or _STORE)
                if access is None:
                    self._store(root, attributes, context, group.receiver, node in plain)
                    continue
            if group.ref is not None:
                self._load(node, attributes, context, group, access)
        for first, chains in self.seen.own_chains.items():
            if first not in leading:
                continue  # nothing is known of what it holds
            for node, attributes, context in chains:
                group = groups.get((context.scope, "self"))
                if group is None:
                    group = groups[context.scope, "self"] = self._group("self", context.scope)
                if group.ref is not None:
                    self._load(node, attributes, context, group, _LOAD)

    def _narrowed(self) -> dict[str, list[tuple[ast.If, Scope, _Group]]]:
        """By name: the branches in which `isinstance` says what it is."""
        found: dict[str, list[tuple[ast.If, Scope, _Group]]] = {}
        for node, name, cls, context in self.seen.narrowing:
            text = dotted(cls)
            ref = self.types.reference(text, context.scope) if text else None
            where = context.scope.lookup(name)
            if ref is None or where is None or ref.module.partition(".")[0] in STANDARD_LIBRARY or name == "self":
                continue
            if any(node in binding.context.branch for binding in where[1]):
                continue  # bound anew inside
            group = self._group_of(Known(ref, False), name, context.scope)
            found.setdefault(name, []).append((node, where[0], group))
        return found

    def _load_narrowed(
        self,
        node: ast.Attribute,
        root: str,
        attributes: list[str],
        context: Context,
        narrowed: list[tuple[ast.If, Scope, _Group]],
    ) -> None:
        """An attribute in a branch that `isinstance` decides; where several do, nothing is certain."""
        found = context.scope.lookup(root)
        groups = [
            group
            for test, where, group in narrowed
            if test in context.branch
            and test.body[0].lineno <= node.lineno <= (test.body[-1].end_lineno or 0)
            and found is not None
            and found[0] is where
        ]
        if len(groups) == 1 and attributes[0] != "__dict__":
            plain = groups[0].but_asked(groups[0].asked - {BY_CLASS})
            self._load(node, attributes, context, plain, _LOAD)

    def _note_store(
        self, node: ast.Attribute, attributes: list[str], context: Context, group: _Group, access: Access
    ) -> None:
        """Keep the place of an attribute that is given a value or deleted."""
        if group.ref is None or (len(attributes) == 1 and not group.single) or "__dict__" in attributes:
            return
        path = ".".join(attributes)
        if not group.is_asked_about(path):
            self._note(self.stores, group, node, self._read_in(context), path, access)

    def _own_stores(self) -> None:
        """What methods assign on `self`, for the classes of which that may fail."""
        groups: dict[Scope, _Group] = {}
        for node, name, context in self.seen.own_stores:
            group = groups.get(context.scope)
            if group is None:
                group = groups[context.scope] = self._group("self", context.scope)
            self._note_store(node, [name], context, group, _STORE)

    def _members(self) -> Noted:
        """What may be members of enumerations."""
        found: Noted = {}
        groups: dict[Ref, _Group] = {}
        for node, root, attributes, context in self.seen.members:
            ref = self.types.reference(root, context.scope)
            if ref is None:
                continue
            group = groups.get(ref)
            if group is None:
                group = groups[ref] = _Group(None, ref, True)
            kind = node.ctx.__class__
            access = _LOAD if kind is ast.Load else _STORE if kind is ast.Store else Access.DELETE
            self._note(found, group, node, self._read_in(context), ".".join(attributes), access)
        return found

    def _keys(self) -> Noted:
        """Literal keys that are read of names whose class is known."""
        found: Noted = {}
        for node, root, key, context in self.seen.keys:
            if key in self.seen.loose_keys or any(guard.kind != "test" for guard in context.guards):
                continue
            group = self.groups.get((context.scope, root)) or self._group(root, context.scope)
            if group.ref is None or isinstance(group.receiver, OwnInstance) or group.asked or not group.single:
                continue
            if not self.excuses.excuse(context, "KeyError"):
                self._note(found, group, node, self._where(context), key)
        return found

    def _group(self, root: str, scope: Scope) -> _Group:
        return self._group_of(self.types.receiver(root, scope), root, scope)

    def _group_of(self, receiver: Receiver, root: str, scope: Scope) -> _Group:
        if isinstance(receiver, OwnInstance):
            group = self.own_groups.get(receiver.scope)
            if group is None:
                group = self.own_groups[receiver.scope] = self._group_like(receiver, self._as_known(receiver))
        elif not isinstance(receiver, Known) or _is_known_elsewhere(receiver.ref):
            return _Group(receiver)
        else:
            group = self._group_like(receiver, receiver)
        asked = self.excuses.asked_about(root, scope)
        return group.but_asked(asked) if asked else group

    def _group_like(self, receiver: Receiver, known: Known) -> _Group:
        ref = known.ref
        group = _Group(receiver, ref, known.exact)
        if ref.is_local and not ref.name.endswith((RETURNED, AWAITED)):
            # A class of this file that is neither decorated nor has bases is of no kind with fields; and what its
            # body binds is there.
            node = self.local.get(ref.name)
            group.single = (node is not None and bool(node.decorator_list or node.bases)) or ref.name in self.made
            if node is not None and group.single and node.name not in self.typed_dicts:
                body = self.bodies[node]
                group.present = body.names.union(body.annotated)
        return group

    def _load(
        self, node: ast.Attribute, attributes: list[str], context: Context, group: _Group, access: Access
    ) -> None:
        first = attributes[0]
        if first == "__dict__":
            # What a class does to its own is not followed any further; from outside it is mostly read.
            own = isinstance(group.receiver, OwnInstance)
            if attributes[1] not in READS_OF_DICT if len(attributes) > 1 else own:
                self._open(group.receiver, [])
            return
        if len(attributes) == 1:
            if not group.single or first in group.present:
                return
            path, held = first, self.uses
        else:
            path, held = ".".join(attributes), self.paths
        if group.asked and group.is_asked_about(path):
            return
        where = self.readable.get(context)
        if where is None:
            where = self._read_in(context)
        if where < 0:
            return
        kind = ""
        if access is _AUGMENT:
            value = self.seen.augmented.get(node)
            kind = type(value.value).__name__ if isinstance(value, ast.Constant) else ""
        self._note(held, group, node, where, path, access, kind)

    def _read_in(self, context: Context) -> int:
        where = self.readable.get(context)
        if where is None:
            excused = self.excuses.excuse(context, "AttributeError")
            where = self.readable[context] = -1 if excused else self._where(context)
        return where

    def _note(
        self,
        noted: Noted,
        group: _Group,
        node: ast.expr,
        where: int,
        path: str,
        access: Access = _LOAD,
        value: str = "",
    ) -> None:
        """Keep the place of a use of attributes."""
        if where < 0 or group.ref is None:
            return
        if group.index < 0:
            group.index = self._index(group.ref)
        alike = noted.get(group.index)
        if alike is None:
            alike = noted[group.index] = {}
        key = (path, group.exact, access, value)
        places = alike.get(key)
        if places is None:
            alike[key] = [*place(node), where]
        else:
            places += (*place(node), where)

    def _store(
        self,
        root: str,
        attributes: list[str],
        context: Context,
        receiver: Receiver,
        plain: bool,
    ) -> None:
        last = attributes[-1]
        if isinstance(receiver, (OwnInstance, OwnClass)):
            if len(attributes) > 1:
                self._write(self._as_known(receiver).ref, attributes)
                return
            owner = receiver.scope.node
            self.assigned.setdefault(owner, set()).add(last)
            if not plain:  # unpacked, or bound by a loop or a `with`: of no known class
                self.typed.setdefault(owner, {}).setdefault(last, []).append(None)
            return
        if isinstance(receiver, Known):
            if last == "__dict__":
                self._open(receiver, attributes[:-1])
            else:
                self._write(receiver.ref, attributes)
            return
        if len(attributes) > 1 and attributes[-2] in CONSTRUCTORS:
            attributes = attributes[:-1]  # `C.__new__.__defaults__ = …` makes another constructor of it
        found = context.scope.lookup(root)
        if (found is not None and found[1][0].kind in (BindingKind.IMPORT, BindingKind.CLASS)) or root in self.made:
            # An attribute of a class itself, `C.limit = 3`, is one of its instances too.
            text = ".".join((root, *attributes[:-1]))
            ref = self.types.reference(text, context.scope)
            if ref is not None and looks_like_class(text):
                self._write(ref, attributes[-1:], forced=True)
        else:
            self.loose.add(last)


class _Group:
    """What is known of one name in one scope."""

    __slots__ = ("asked", "exact", "index", "present", "receiver", "ref", "single")

    def __init__(self, receiver: Receiver, ref: Ref | None = None, exact: bool = False) -> None:
        self.receiver = receiver
        self.ref = ref
        """The class, where uses of attributes are worth remembering."""
        self.index = -1
        """Its index in the table of the file, once a use is remembered."""
        self.exact = exact
        self.single = True
        """Whether a use of one attribute can be wrong."""
        self.present: Set[str] = _NOTHING
        """Attributes that are certainly there."""
        self.asked: Set[str] = _NOTHING
        """Chains of attributes that the code asks about; the empty one is the name itself."""

    def but_asked(self, asked: Set[str]) -> _Group:
        """The same where the code asks about other chains."""
        group = _Group(self.receiver, self.ref, self.exact)
        group.single, group.present, group.asked = self.single, self.present, asked
        return group

    def is_asked_about(self, path: str) -> bool:
        """Whether the code asks for the class or the attributes of something on the way."""
        asked = self.asked
        return bool(asked) and (
            "" in asked or BY_CLASS in asked or any(f"{path}.".startswith(f"{text}.") for text in asked)
        )
