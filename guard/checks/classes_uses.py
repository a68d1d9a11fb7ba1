"""Attributes that code uses and sets: what is remembered of them."""

from __future__ import annotations

import ast

from guard.checks.classes_body import (
    CONSTRUCTORS,
)
from guard.checks.classes_excuses import BY_CLASS
from guard.checks.classes_facts import (
    AWAITED,
    RETURNED,
    Access,
    Use,
)
from guard.checks.classes_seen import READS_OF_DICT, STANDARD_LIBRARY, Seen, place
from guard.checks.classes_types import Known, OwnClass, OwnInstance, Receiver, looks_like_class
from guard.checks.references import Ref
from guard.scopes import BindingKind, Context, Scope, dotted


class Uses(Seen):
    """The attribute chains of one file."""

    def _chains(self) -> None:
        leading = {name for names in self.typed.values() for name, held in names.items() if any(held)}
        leading.update(name for body in self.bodies.values() for name in body.annotated)
        leading.update(node.name for node, _ in self.seen.returning if node.decorator_list)
        leading.add("__dict__")
        groups: dict[tuple[Scope, str], _Group] = {}
        narrowed = self._narrowed()
        for node, root, attributes, context, access in self.seen.chains:
            if root in narrowed and access is Access.LOAD:
                self._load_narrowed(node, root, attributes, context, narrowed[root])
            if root == "self" and access is Access.LOAD and len(attributes) > 1 and attributes[0] not in leading:
                continue
            group = groups.get((context.scope, root))
            if group is None:
                group = groups[context.scope, root] = self._group(root, context.scope)
            if access is not Access.LOAD:
                self._note_store(node, attributes, context, group, access or Access.STORE)
            if access is None:
                self._store(root, attributes, context, group.receiver, node in self.seen.plain)
            elif group.ref is not None:
                self._load(node, attributes, context, group, access)

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
            group = groups[0]
            plain = _Group(group.receiver, group.ref, group.exact)
            plain.single, plain.present, plain.asked = group.single, group.present, group.asked - {BY_CLASS}
            self._load(node, attributes, context, plain, Access.LOAD)

    def _note_store(
        self, node: ast.Attribute, attributes: list[str], context: Context, group: _Group, access: Access
    ) -> None:
        """Keep the place of an attribute that is given a value or deleted."""
        if group.ref is None or (len(attributes) == 1 and not group.single) or "__dict__" in attributes:
            return
        path = ".".join(attributes)
        if not group.is_asked_about(path) and not self.excuses.excuse(context, "AttributeError"):
            use = Use(*place(node), *self._scope(context), path, group.exact, access)
            self.stores.setdefault(self._index(group.ref), []).append(use)

    def _own_stores(self) -> None:
        """What methods assign on `self`, for the classes of which that may fail."""
        groups: dict[Scope, _Group] = {}
        for node, name, context in self.seen.own_stores:
            group = groups.get(context.scope)
            if group is None:
                group = groups[context.scope] = self._group("self", context.scope)
            self._note_store(node, [name], context, group, Access.STORE)

    def _members(self) -> dict[int, list[Use]]:
        """What may be members of enumerations."""
        found: dict[int, list[Use]] = {}
        for node, root, attributes, context in self.seen.members:
            ref = self.types.reference(root, context.scope)
            if ref is None or self.excuses.excuse(context, "AttributeError"):
                continue
            kind = node.ctx.__class__
            access = Access.LOAD if kind is ast.Load else Access.STORE if kind is ast.Store else Access.DELETE
            use = Use(*place(node), *self._scope(context), ".".join(attributes), True, access)
            found.setdefault(self._index(ref), []).append(use)
        return found

    def _keys(self) -> dict[int, list[Use]]:
        """Literal keys that are read of names whose class is known."""
        found: dict[int, list[Use]] = {}
        for node, root, key, context in self.seen.keys:
            if key in self.seen.loose_keys or any(guard.kind != "test" for guard in context.guards):
                continue
            group = self._group(root, context.scope)
            if group.ref is None or isinstance(group.receiver, OwnInstance) or group.asked or not group.single:
                continue
            if not self.excuses.excuse(context, "KeyError"):
                use = Use(*place(node), *self._scope(context), key, group.exact)
                found.setdefault(self._index(group.ref), []).append(use)
        return found

    def _group(self, root: str, scope: Scope) -> _Group:
        return self._group_of(self.types.receiver(root, scope), root, scope)

    def _group_of(self, receiver: Receiver, root: str, scope: Scope) -> _Group:
        if not isinstance(receiver, (Known, OwnInstance)):
            return _Group(receiver)
        known = self._as_known(receiver)
        ref = known.ref
        if ref.module in STANDARD_LIBRARY:
            return _Group(receiver)
        group = _Group(receiver, ref, known.exact)
        group.asked = self.excuses.asked_about(root, scope)
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
        if group.is_asked_about(path):
            return
        if self.excuses.excuse(context, "AttributeError"):
            return
        if group.ref is not None:
            value = self.seen.augmented.get(node)
            kind = type(value.value).__name__ if isinstance(value, ast.Constant) else ""
            use = Use(*place(node), *self._scope(context), path, group.exact, access, kind)
            held.setdefault(self._index(group.ref), []).append(use)

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
                self._write(self._as_known(receiver).ref, attributes, False)
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
                self._write(receiver.ref, attributes, False)
            return
        if len(attributes) > 1 and attributes[-2] in CONSTRUCTORS:
            attributes = attributes[:-1]  # `C.__new__.__defaults__ = …` makes another constructor of it
        found = context.scope.lookup(root)
        if (found is not None and found[1][0].kind in (BindingKind.IMPORT, BindingKind.CLASS)) or root in self.made:
            # An attribute of a class itself, `C.limit = 3`, is one of its instances too.
            text = ".".join((root, *attributes[:-1]))
            ref = self.types.reference(text, context.scope)
            if ref is not None and looks_like_class(text):
                self._write(ref, attributes[-1:], False)
        else:
            self.loose.add(last)


class _Group:
    """What is known of one name in one scope."""

    __slots__ = ("asked", "exact", "present", "receiver", "ref", "single")

    def __init__(self, receiver: Receiver, ref: Ref | None = None, exact: bool = False) -> None:
        self.receiver = receiver
        self.ref = ref
        """The class, where uses of attributes are worth remembering."""
        self.exact = exact
        self.single = True
        """Whether a use of one attribute can be wrong."""
        self.present: set[str] = set()
        """Attributes that are certainly there."""
        self.asked: set[str] = set()
        """Chains of attributes that the code asks about; the empty one is the name itself."""

    def is_asked_about(self, path: str) -> bool:
        """Whether the code asks for the class or the attributes of something on the way."""
        asked = self.asked
        return bool(asked) and (
            "" in asked or BY_CLASS in asked or any(f"{path}.".startswith(f"{text}.") for text in asked)
        )
