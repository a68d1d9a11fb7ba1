"""From what a collector noted in one file to the facts on its classes and their uses."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from guard.checks.classes_body import (
    ClassBody,
    applied,
    keywords_of,
    settings_of,
    tuple_fields,
    valued_of,
)
from guard.checks.classes_calls import Calls
from guard.checks.classes_facts import (
    UNKNOWN,
    Body,
    ClassesFacts,
    ClassFacts,
    Noted,
    Returning,
    Serializer,
    Typed,
    Use,
    Write,
)
from guard.checks.classes_seen import NONE, STANDARD_LIBRARY, qualified
from guard.checks.classes_serializing import SERIALIZERS, serializer_of
from guard.checks.classes_types import Known, OwnInstance
from guard.checks.classes_uses import Uses
from guard.checks.packing import pack
from guard.checks.references import Ref
from guard.nodes import names_in
from guard.scopes import Context, Scope, dotted

if TYPE_CHECKING:
    from guard.checks.classes_collect import ClassCollector


_TRANSPARENT: Final = frozenset(
    {"property", "cached_property", "staticmethod", "classmethod", "override", "lru_cache", "cache", "abstractmethod"}
)
"""Decorators under which a function gives what its annotation says."""
_UNNAMED: Final = "<made>"
"""Stands for the name of a class that a call makes: all that is known is what it inherits."""


def finish(seen: ClassCollector) -> ClassesFacts | None:
    """The facts on one file; None where it says nothing of classes. Only right once the walk is over."""
    return _Finish(seen).facts()


def _uses(noted: Noted) -> dict[int, list[Use]]:
    return {ref: [Use(*one, tuple(places)) for one, places in alike.items()] for ref, alike in noted.items()}


class _Finish(Uses, Calls):
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
        keys = self._keys()
        calls = self._class_calls()
        returns = self._returns()
        classes = (
            *(self._class(node, context) for node, context in self.seen.classes),
            *tuples,
            *(ClassFacts(_UNNAMED, node.lineno, bases, pack(Body(dynamic=True))) for node, bases in self.below),
        )
        if not (classes or calls or self.refs or self.loose or self.set_by_name):
            return None
        return ClassesFacts(
            tuple(self.refs),
            tuple(self.scopes),
            classes,
            calls,
            tuple(self.updates),
            _uses(self.uses),
            _uses(self.paths),
            _uses(self.stores),
            _uses(members),
            _uses(keys),
            tuple(Write(*write) for write in sorted(self.writes)),
            returns,
            self.again,
            tuple(sorted(self.loose)),
            tuple(sorted(self.set_by_name)),
        )

    def _returns(self) -> tuple[Returning, ...]:
        """The functions whose annotation says what they return."""
        found = []
        for node, context in self.seen.returning:
            scope = context.scope
            kinds = {
                dotted(one.func if isinstance(one, ast.Call) else one).rpartition(".")[2] for one in node.decorator_list
            }
            is_property = bool(kinds & {"property", "cached_property"})
            if kinds - _TRANSPARENT:
                continue
            ref = self.types.annotated(node.returns, scope)
            if ref is not None and ref.name == "Self" and ref.module in ("typing", "typing_extensions"):
                ref = Ref(0, "", scope.qualname) if scope.kind == "class" else None
            if ref is None or ref.module.partition(".")[0] in STANDARD_LIBRARY:
                continue
            name = scope.private(node.name)
            name = f"{scope.qualname}.{name}" if scope.qualname else name
            is_async = isinstance(node, ast.AsyncFunctionDef)
            found.append(Returning(name, self._index(ref), is_async, is_property))
        return tuple(found)

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

        for telling in body.telling:
            index(telling)
        # Most classes are plain ones, so what few have is looked for only where there may be some.
        decorators, metaclass = node.decorator_list, None
        if node.keywords:
            metaclass = next((k.value for k in node.keywords if k.arg == "metaclass"), None)
        assigned = self.assigned.get(node)
        facts = Body(
            tuple([applied(decorator, index) for decorator in decorators]) if decorators else (),
            None if metaclass is None else index(metaclass),
            keywords_of(node) if node.keywords else (),
            node in self.dynamic,
            tuple(sorted(body.names)),
            body.fields(index, type_index, imported) if body.annotated or body.made else (),
            tuple(sorted(assigned - body.names - body.annotated.keys())) if assigned else (),
            self._typed_of(node) if node in self.typed else (),
            tuple(body.signatures.items()),
            settings_of(node) if node.name == "Config" else (),
            self._serializers(body) if decorators else (),
            valued_of(node) if node in self.seen.enumerations else (),
            tuple(body.marks),
        )
        lazy = scope.function is not None
        return ClassFacts(
            qualified(node, scope),
            node.lineno,
            tuple([index(base) for base in node.bases]) if node.bases else (),
            pack(facts),
            lazy,
            not lazy and not context.branch and not context.main and scope.kind == "module",
            self.excuses.excuse(context, "TypeError") or self.excuses.excuse(context, "ValueError"),
            bool(decorators),
        )

    def _serializers(self, body: ClassBody) -> tuple[Serializer, ...]:
        """What methods of the class write into a dict by hand."""
        found = (
            serializer_of(method, body.owner, body.methods)
            for name, method in body.methods.items()
            if name in SERIALIZERS
        )
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
        for name, held in sorted(self.typed[node].items()):
            known = [one for one in held if one is not None]
            if not known:
                continue
            agreed = len(known) == len(held) and all(one.ref == known[0].ref for one in known)
            typed.append(Typed(name, self._index(known[0].ref) if agreed else UNKNOWN))
        return tuple(typed)

    def _field_type(self, body: ClassBody, annotation: ast.expr, outer: Scope) -> int:
        """The class that a field's annotation names. The body's own names hide those around it, whatever they hold
        by then, so they are not followed."""
        ref = self.types.annotated(annotation, outer)
        if ref is None:
            return UNKNOWN
        if any(name in body.names or name in body.annotated for name in names_in(annotation)):
            return UNKNOWN
        return self._index(ref)

    def _typed_attributes(self) -> None:
        """What methods assign to attributes of `self`, for the attributes that some assignment may give a class."""
        told = {name for _, name, _, _ in self.seen.telling}
        for root, name, node, context in self.seen.telling:
            held = self._assigned_value(node, context.scope)
            if held is not NONE:
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
            return NONE if value.value is None else None
        return self.types.value(node.value, scope)
