"""From what a collector noted in one file to the facts on its classes and their uses."""

from __future__ import annotations

import ast
import builtins
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from guard.checks.classes_body import (
    CONSTRUCTORS,
    ClassBody,
    applied,
    keywords_of,
    settings_of,
    tuple_fields,
    valued_of,
)
from guard.checks.classes_excuses import BY_CLASS, Excuses
from guard.checks.classes_facts import (
    AWAITED,
    RETURNED,
    UNKNOWN,
    Access,
    Body,
    Call,
    ClassesFacts,
    ClassFacts,
    Returning,
    Serializer,
    Typed,
    Update,
    Use,
    Write,
)
from guard.checks.classes_serializing import SERIALIZERS, serializer_of
from guard.checks.classes_types import Known, OwnClass, OwnInstance, Receiver, Types, looks_like_class
from guard.checks.packing import pack
from guard.checks.references import Ref
from guard.scopes import BindingKind, Context, Scope, dotted

if TYPE_CHECKING:
    from guard.checks.classes_collect import ClassCollector

ASKS: Final = frozenset(
    {"isinstance", "hasattr", "getattr", "setattr", "delattr", "type", "vars", "callable", "issubclass", "cast"}
)
"""Calls that say that the class, or the attributes, of what they are given are not taken for certain."""
SETS_BY_NAME: Final = frozenset({"setattr", "__setattr__", "patch", "object"})
"""Calls that may give something an attribute: `monkeypatch.setattr`, `object.__setattr__` and `patch.object` too."""
ASSERTS_FAILURE: Final = frozenset(
    {
        *("raises", "assertRaises", "assertRaisesRegex", "assertRaisesRegexp", "assertRaisesMessage"),
        *("failUnlessRaises", "assert_raises", "assert_raises_message", "expect_raises", "expect_raises_message"),
    }
)
"""Calls that assert a failure, of the standard library and of what projects call their own ones."""
COPYING_METHODS: Final = frozenset({"_replace", "model_copy", "copy"})
COPIES: Final = COPYING_METHODS | {"replace", "evolve"}
"""Calls that may copy an instance with other values."""
_READS_OF_DICT: Final = frozenset({"copy", "items", "keys", "values", "get"})
STANDARD_LIBRARY: Final = sys.stdlib_module_names - {"test", "this", "site", "code", "platform", "statistics"}
"""Top-level names that no first-party class is imported from: what is used of them is not remembered. A few that
projects use for their own are left out."""
_BUILTINS: Final = frozenset(dir(builtins))
_NONE: Final = Known(Ref(0, "builtins", "None"), True)


def finish(seen: ClassCollector) -> ClassesFacts | None:
    """The facts on one file; None where it says nothing of classes. Only right once the walk is over."""
    return _Finish(seen).facts()


class _Finish:
    def __init__(self, seen: ClassCollector) -> None:
        self.seen = seen
        self.bodies = {node: ClassBody(node) for node, _ in seen.classes}
        self.again = _bound_again(seen)
        self.types = Types(
            frozenset(seen.rebound),
            frozenset(seen.class_names),
            frozenset(seen.givers),
            self._annotations(),
            frozenset(self.again),
        )
        self.refs: dict[Ref, int] = {}
        self.scopes: dict[str, int] = {}
        self.scope_indices: dict[Scope, tuple[int, bool]] = {}
        self.excuses = Excuses()
        self.local = {qualified(node, context.scope): node for node, context in seen.classes}
        self.assigned = seen.assigned
        """By class statement: what methods assign on `self`, or on the class."""
        self.typed: dict[ast.AST, dict[str, list[Known | None]]] = {}
        self.dynamic: set[ast.AST] = set()
        self.loose: set[str] = set()
        self.set_by_name: set[str] = set()
        self.uses: dict[int, list[Use]] = {}
        self.paths: dict[int, list[Use]] = {}
        self.stores: dict[int, list[Use]] = {}
        self.writes: set[tuple[int, str, bool]] = set()
        self.updates: list[Update] = []
        self.made: set[str] = set()
        """Names of the file's classes that a call makes."""
        self.base_calls: dict[ast.expr, str] = {}
        """Calls in the place of a base class, with the names that what they make goes by."""

    def facts(self) -> ClassesFacts | None:
        for match, context in self.seen.subjects:
            self.excuses.asks_about(match.subject, context)
        for subject, context in self.seen.opened:
            self._opened(subject, context)
        tuples = tuple(self._tuples())
        self._typed_attributes()
        self._special_calls()
        self._chains()
        self._own_stores()
        members = self._members()
        calls = self._class_calls()
        returns = self._returns()
        classes = (*(self._class(node, context) for node, context in self.seen.classes), *tuples)
        if not (classes or calls or self.refs or self.loose or self.set_by_name):
            return None
        return ClassesFacts(
            tuple(self.refs),
            tuple(self.scopes),
            classes,
            {ref: pack(found) for ref, found in calls.items()},
            tuple(self.updates),
            {ref: pack(found) for ref, found in self.uses.items()},
            {ref: pack(found) for ref, found in self.paths.items()},
            {ref: pack(found) for ref, found in self.stores.items()},
            {ref: pack(found) for ref, found in members.items()},
            tuple(Write(*write) for write in sorted(self.writes)),
            returns,
            self.again,
            tuple(sorted(self.loose)),
            tuple(sorted(self.set_by_name)),
        )

    def _annotations(self) -> dict[ast.AST, dict[str, ast.expr]]:
        """By class statement: the annotations of attributes, those that methods write on `self` too."""
        found: dict[ast.AST, dict[str, ast.expr]] = {
            node: {name: statement.annotation for name, (statement, _, _) in body.annotated.items()}
            for node, body in self.bodies.items()
            if body.annotated
        }
        for root, name, statement, context in self.seen.telling:
            function = context.scope
            if root == "self" and isinstance(statement, ast.AnnAssign) and function.parent is not None:
                found.setdefault(function.parent.node, {}).setdefault(name, statement.annotation)
        return found

    def _returns(self) -> tuple[Returning, ...]:
        """The functions whose annotation says what they return."""
        found = []
        for node, context in self.seen.returning:
            scope = context.scope
            kinds = {dotted(decorator).rpartition(".")[2] for decorator in node.decorator_list}
            is_property = bool(kinds & {"property", "cached_property"})
            if kinds - {"property", "cached_property", "staticmethod", "classmethod", "override"}:
                continue
            ref = self.types.annotated(node.returns, scope)
            if ref is not None and ref.name == "Self" and ref.module in ("typing", "typing_extensions"):
                ref = Ref(0, "", scope.qualname) if scope.kind == "class" else None
            if ref is None or ref.module.partition(".")[0] in STANDARD_LIBRARY:
                continue
            name = f"{scope.qualname}.{node.name}" if scope.qualname else node.name
            is_async = isinstance(node, ast.AsyncFunctionDef)
            found.append(Returning(name, self._index(ref), is_async, is_property))
        return tuple(found)

    def _index(self, ref: Ref) -> int:
        return self.refs.setdefault(ref, len(self.refs))

    def _scope(self, context: Context) -> tuple[int, bool]:
        """The index of the enclosing scope's name, and whether what stands there runs only when something calls it."""
        scope = context.scope
        known = self.scope_indices.get(scope)
        if known is None:
            index = self.scopes.setdefault(scope.qualname, len(self.scopes))
            known = self.scope_indices[scope] = (index, scope.function is not None)
        return (known[0], True) if context.main else known

    # Classes

    def _class(self, node: ast.ClassDef, context: Context) -> ClassFacts:
        scope = context.scope
        body = self.bodies[node]

        def index(expression: ast.expr) -> int:
            return self._named(expression, scope)

        def type_index(annotation: ast.expr) -> int:
            return self._field_type(body, annotation, scope)

        def imported(text: str) -> str:
            ref = self.types.reference(text, scope) if text else None
            return text if ref is None else ref.name or text

        metaclass = next((k.value for k in node.keywords if k.arg == "metaclass"), None)
        facts = Body(
            tuple(applied(decorator, index) for decorator in node.decorator_list),
            None if metaclass is None else index(metaclass),
            keywords_of(node),
            node in self.dynamic,
            tuple(sorted(body.names)),
            body.fields(index, type_index, imported),
            tuple(sorted(self.assigned.get(node, set()) - body.names - body.annotated.keys())),
            self._typed_of(node),
            tuple(body.signatures.items()),
            settings_of(node) if node.name == "Config" else (),
            self._serializers(body) if node.decorator_list else (),
            valued_of(node) if node in self.seen.enumerations else (),
            tuple(body.marks),
        )
        lazy = scope.function is not None
        return ClassFacts(
            qualified(node, scope),
            node.lineno,
            tuple(index(base) for base in node.bases),
            pack(facts),
            lazy,
            not lazy and not context.branch and not context.main and scope.kind == "module",
            any(self.excuses.excuse(context, error) for error in ("TypeError", "ValueError")),
            bool(node.decorator_list),
        )

    def _serializers(self, body: ClassBody) -> tuple[Serializer, ...]:
        """What methods of the class write into a dict by hand."""
        found = (serializer_of(method) for name, method in body.methods.items() if name in SERIALIZERS)
        return tuple(serializer for serializer in found if serializer is not None)

    def _tuples(self) -> Iterator[ClassFacts]:
        """The classes that are made by a call: bound to a name, or inherited from at once."""
        calls: dict[ast.expr, Context] = dict(self.seen.tuples)
        if not calls:
            return
        names: dict[ast.expr, str] = {
            node: f"{qualified(statement, context.scope)}()"
            for statement, context in self.seen.classes
            for node in statement.bases
            if node in calls
        }
        self.base_calls.update(names)
        for node, context in self.seen.tuples:
            scope = context.scope
            if scope.kind in ("module", "class"):
                for name, bindings in scope.bindings.items():
                    if any(binding.value is node for binding in bindings):
                        names[node] = f"{scope.qualname}.{name}" if scope.qualname else name
        for node, context in self.seen.tuples:
            if node not in names:
                continue
            name = names[node]
            fields = tuple_fields(node)
            self.made.add(name)
            base = self._named(node.func, context.scope)
            yield ClassFacts(name, node.lineno, (base,), pack(Body(dynamic=fields is None, fields=fields or ())))

    def _typed_of(self, node: ast.ClassDef) -> tuple[Typed, ...]:
        typed = []
        for name, held in sorted(self.typed.get(node, {}).items()):
            known = [one for one in held if one is not None]
            if not known:
                continue
            agreed = len(known) == len(held) and all(one.ref == known[0].ref for one in known)
            typed.append(Typed(name, self._index(known[0].ref) if agreed else UNKNOWN))
        return tuple(typed)

    def _named(self, expression: ast.expr, scope: Scope) -> int:
        """A base class, decorator or callee: parameters of a generic are taken off, builtins are known."""
        if isinstance(expression, ast.Call):
            made = self.base_calls.get(expression)
            if made is not None:
                return self._index(Ref(0, "", made))
            expression = expression.func
        if isinstance(expression, ast.Subscript):
            expression = expression.value
        text = dotted(expression)
        if not text:
            return UNKNOWN
        if text in _BUILTINS and scope.lookup(text) is None:
            return self._index(Ref(0, "builtins", text))
        ref = self.types.reference(text, scope)
        return UNKNOWN if ref is None else self._index(ref)

    def _field_type(self, body: ClassBody, annotation: ast.expr, outer: Scope) -> int:
        """The class that a field's annotation names. The body's own names hide those around it, whatever they hold
        by then, so they are not followed."""
        ref = self.types.annotated(annotation, outer)
        if ref is None or any(
            isinstance(part, ast.Name) and (part.id in body.names or part.id in body.annotated)
            for part in ast.walk(annotation)
        ):
            return UNKNOWN
        return self._index(ref)

    # Attributes of `self`

    def _typed_attributes(self) -> None:
        """What methods assign to attributes of `self`, for the attributes that some assignment may give a class."""
        told = {name for _, name, _, _ in self.seen.telling}
        for root, name, node, context in self.seen.telling:
            held = self._assigned_value(node, context.scope)
            if held is not _NONE:
                self._assigns(root, name, context, held)
        for root, name, context in self.seen.not_telling:
            if name in told:
                self._assigns(root, name, context, None)

    def _assigns(self, root: str, name: str, context: Context, held: Known | None) -> None:
        receiver = self.types.receiver(root, context.scope)
        if isinstance(receiver, OwnInstance):
            self.typed.setdefault(receiver.scope.node, {}).setdefault(name, []).append(held)

    def _assigned_value(self, node: ast.Assign | ast.AnnAssign, scope: Scope) -> Known | None:
        value = node.value
        if isinstance(node, ast.AnnAssign):
            return self.types.declared_with(node.annotation, value, scope)
        if isinstance(value, ast.Constant):
            return _NONE if value.value is None else None
        return self.types.value(node.value, scope)

    # Attributes of anything

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
            if node is not None and group.single:
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
            if attributes[1] not in _READS_OF_DICT if len(attributes) > 1 else own:
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

    def _as_known(self, receiver: Known | OwnInstance | OwnClass) -> Known:
        if isinstance(receiver, Known):
            return receiver
        return Known(Ref(0, "", receiver.scope.qualname), False)

    def _write(self, ref: Ref, attributes: Sequence[str], opens: bool) -> None:
        self.writes.add((self._index(ref), ".".join(attributes), opens))

    def _open(self, receiver: Receiver, attributes: list[str]) -> None:
        """The attributes of what the chain leads to are set by names that are not known."""
        if isinstance(receiver, (OwnInstance, OwnClass)) and not attributes:
            self.dynamic.add(receiver.scope.node)
        elif receiver is not None:
            self._write(self._as_known(receiver).ref, [*attributes, "*"], True)

    # Calls

    def _special_calls(self) -> None:
        for node, name, context in self.seen.special_calls:
            if name in COPIES:
                self._update(node, name, context)
            elif name in ASSERTS_FAILURE:
                self.excuses.expects_failure(context)
            else:
                if name in ("locals", "vars", "exec") and context.scope.kind == "class":
                    self.dynamic.add(context.scope.node)
                if name in SETS_BY_NAME:
                    self._set_attribute(node, name, context)
                if name in ASKS:
                    self._asks(node, name, context)

    def _asks(self, node: ast.Call, name: str, context: Context) -> None:
        for argument in node.args[:2]:  # `cast(C, x)` has it second
            self.excuses.asks_about(argument, context, by_class=name == "isinstance")
        if name in ("hasattr", "getattr", "delattr") and len(node.args) > 1:
            self.loose.update(_literal(node.args[1]))
        if name == "vars" and node.args and dotted(node.args[0]) == "self":
            self._opened(node.args[0], context)

    def _set_attribute(self, node: ast.Call, name: str, context: Context) -> None:
        """`setattr(x, name, value)` and its kin."""
        if name in ("patch", "setattr"):  # by a dotted path: `patch("a.b.C.limit")`
            for path in _literal(node.args[0]) if node.args else ():
                self._loosen(*path.rpartition(".")[::2])
            if name == "patch":
                return
        if len(node.args) < 2:
            return
        names = _literal(node.args[-2] if name == "__setattr__" else node.args[1])
        if name == "object":  # `patch.object(x, "name")`
            for attribute in names:
                self._loosen(dotted(node.args[0]), attribute)
            return
        root, *attributes = dotted(node.args[0]).split(".")
        receiver = self.types.receiver(root, context.scope) if root else None
        if not names:
            self._open(receiver, attributes)
        elif isinstance(receiver, (OwnInstance, OwnClass)) and not attributes:
            self.assigned.setdefault(receiver.scope.node, set()).update(names)
        elif receiver is not None:
            self._write(self._as_known(receiver).ref, [*attributes, *names], False)
        else:
            for attribute in names:
                self._loosen(dotted(node.args[0]), attribute)
            self.set_by_name.update(names)

    def _loosen(self, owner: str, attribute: str) -> None:
        """Something sets the attribute; of a constructor, whose it is matters too."""
        self.loose.add(attribute)
        if attribute in CONSTRUCTORS:
            self.loose.add(f"{owner.rpartition('.')[2]}.{attribute}")

    def _opened(self, target: ast.expr, context: Context) -> None:
        root, *attributes = dotted(target).split(".")
        self._open(self.types.receiver(root, context.scope) if root else None, attributes)

    def _update(self, node: ast.Call, name: str, context: Context) -> None:
        """`replace(instance, name=value)`, `instance._replace(name=value)`, `instance.model_copy(update={…})`."""
        func, method, function = node.func, "", UNKNOWN
        if isinstance(func, ast.Attribute) and name in COPYING_METHODS:
            text, method = dotted(func.value), name
            keywords = _updated(node) if name != "_replace" else tuple(k.arg or "" for k in node.keywords)
        elif name not in COPYING_METHODS and node.args:
            text, function = dotted(node.args[0]), self._named(func, context.scope)
            keywords = tuple(keyword.arg or "" for keyword in node.keywords)
        else:
            return
        if not text or not keywords or "" in keywords or (function == UNKNOWN and not method):
            return
        root, _, path = text.partition(".")
        receiver = self.types.receiver(root, context.scope)
        if not isinstance(receiver, (Known, OwnInstance)) or self.excuses.excuse(context, "TypeError"):
            return
        known = self._as_known(receiver)
        where = (*place(func), *self._scope(context), function, method)
        self.updates.append(Update(*where, self._index(known.ref), path, known.exact, keywords))

    def _own_class(self, context: Context) -> Ref | None:
        """What `cls` is in a method."""
        receiver = self.types.receiver("cls", context.scope)
        return self._as_known(receiver).ref if isinstance(receiver, OwnClass) else None

    def _class_calls(self) -> dict[int, list[Call]]:
        calls: dict[int, list[Call]] = {}
        for text, context, line, column, end_column, arguments in self.seen.calls:
            ref = self.types.reference(text, context.scope) if text != "cls" else self._own_class(context)
            if ref is None or (not ref.level and ref.module.partition(".")[0] in STANDARD_LIBRARY):
                continue
            if not self.excuses.excuse(context, "TypeError"):
                index, lazy = self._scope(context)
                positional, keywords, starred, double_starred = arguments
                where = (line, column, end_column, index, lazy)
                call = Call(*where, positional, keywords, starred, double_starred, text == "cls")
                calls.setdefault(self._index(ref), []).append(call)
        return calls


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


def _bound_again(seen: ClassCollector) -> tuple[str, ...]:
    """The names that several class statements of the module bind, and nothing else, in no branch."""
    if len(seen.classes) == len(seen.class_names):
        return ()
    found = set()
    for node, context in seen.classes:
        bindings = context.scope.bindings.get(node.name, [])
        if context.scope.kind == "module" and len(bindings) > 1 and node.name not in seen.rebound:
            kinds = {(one.kind, bool(one.context.branch or one.context.dead)) for one in bindings}
            if kinds == {(BindingKind.CLASS, False)}:
                found.add(node.name)
    return tuple(sorted(found))


def qualified(node: ast.ClassDef, scope: Scope) -> str:
    """The qualified name of a class statement that stands in `scope`."""
    return f"{scope.qualname}.{node.name}" if scope.qualname else node.name


def arguments_of(node: ast.Call) -> tuple[int, tuple[str, ...], bool, bool]:
    """How many positional arguments a call has, its keywords, and whether it has `*` and `**` arguments."""
    starred = sum([argument.__class__ is ast.Starred for argument in node.args])
    keywords = tuple([keyword.arg for keyword in node.keywords if keyword.arg])
    return len(node.args) - starred, keywords, starred > 0, len(keywords) < len(node.keywords)


def place(node: ast.expr) -> tuple[int, int, int]:
    """Line, column and end column; of an expression over several lines, where it begins."""
    column = node.col_offset + 1
    ends_here = node.end_lineno == node.lineno and node.end_col_offset is not None
    return node.lineno, column, node.end_col_offset + 1 if ends_here else column  # type: ignore[operator]


def _literal(node: ast.expr) -> tuple[str, ...]:
    return (node.value,) if isinstance(node, ast.Constant) and isinstance(node.value, str) else ()


def _updated(node: ast.Call) -> tuple[str, ...]:
    """The keys in `model_copy(update={…})`; nothing where they are not written."""
    update = next((keyword.value for keyword in node.keywords if keyword.arg == "update"), None)
    if not isinstance(update, ast.Dict):
        return ()
    keys = [key.value for key in update.keys if isinstance(key, ast.Constant) and isinstance(key.value, str)]
    return tuple(keys) if len(keys) == len(update.keys) else ()
