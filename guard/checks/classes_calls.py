"""Calls of classes, and of functions that deal in attributes or copies: what is remembered of them."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from guard.checks.classes_body import (
    CONSTRUCTORS,
)
from guard.checks.classes_facts import (
    UNKNOWN,
    Call,
    Update,
)
from guard.checks.classes_seen import (
    ASKS,
    ASSERTS_FAILURE,
    COPIES,
    COPYING_METHODS,
    MAKERS,
    SETS_BY_NAME,
    STANDARD_LIBRARY,
    Seen,
    arguments_of,
    literal,
    place,
)
from guard.checks.classes_types import Known, OwnClass, OwnInstance
from guard.checks.references import Ref
from guard.scopes import Context, Scope, dotted


class Calls(Seen):
    """The calls of one file."""

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
                if name in MAKERS and (len(node.args) > 1 or node.keywords):
                    self._made_below(node, name, context.scope)
                if name in ASKS:
                    self._asks(node, name, context)

    def _made_below(self, node: ast.Call, name: str, scope: Scope) -> None:
        """A call that makes a class: `type("C", (Base,), {…})`, `create_model("C", __base__=Base)`."""
        wanted = "__base__" if name == "create_model" else "bases"
        given = next((keyword.value for keyword in node.keywords if keyword.arg == wanted), None)
        if given is None and name in ("type", "new_class") and len(node.args) > 1:
            given = node.args[1]
        bases = () if given is None else tuple(self._base(one, scope) for one in _listed(given, scope))
        if any(base != UNKNOWN for base in bases):
            self.below.append((node, bases))

    def _base(self, expression: ast.expr, scope: Scope) -> int:
        """What a base is, where it may also be the class that a method stands in: `cls`, `self.__class__`."""
        root, _, rest = dotted(expression).partition(".")
        receiver = self.types.receiver(root, scope) if root and rest in ("", "__class__") else None
        if isinstance(receiver, OwnInstance if rest else OwnClass):
            return self._index(self._as_known(receiver).ref)
        return self._named(expression, scope) if not isinstance(expression, ast.Call) else UNKNOWN

    def _asks(self, node: ast.Call, name: str, context: Context) -> None:
        for argument in node.args[:2]:  # `cast(C, x)` has it second
            self.excuses.asks_about(argument, context, by_class=name == "isinstance")
        if name in ("hasattr", "getattr", "delattr") and len(node.args) > 1:
            self.loose.update(literal(node.args[1]))
        if name == "vars" and node.args and dotted(node.args[0]) == "self":
            self._opened(node.args[0], context)

    def _set_attribute(self, node: ast.Call, name: str, context: Context) -> None:
        """`setattr(x, name, value)` and its kin."""
        if name in ("patch", "setattr"):  # by a dotted path: `patch("a.b.C.limit")`
            for path in literal(node.args[0]) if node.args else ():
                self._loosen(*path.rpartition(".")[::2])
            if name == "patch":
                return
        if len(node.args) < 2:
            return
        names = literal(node.args[-2] if name == "__setattr__" else node.args[1])
        if name == "object":  # `patch.object(x, "name")`
            for attribute in names:
                self._loosen(dotted(node.args[0]), attribute)
            return
        root, *attributes = dotted(node.args[0]).split(".")
        receiver = self.types.receiver(root, context.scope) if root else None
        if not names:
            self._open(receiver, attributes, forced=name != "setattr")
        elif isinstance(receiver, (OwnInstance, OwnClass)) and not attributes:
            self.assigned.setdefault(receiver.scope.node, set()).update(names)
        elif receiver is not None:
            self._write(self._as_known(receiver).ref, [*attributes, *names], forced=name != "setattr")
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
        where = (*place(func), self._where(context))
        self.updates.append(Update(where, function, method, self._index(known.ref), path, known.exact, keywords))

    def _own_class(self, context: Context) -> Ref | None:
        """What `cls` is in a method."""
        receiver = self.types.receiver("cls", context.scope)
        return self._as_known(receiver).ref if isinstance(receiver, OwnClass) else None

    def _class_calls(self) -> dict[int, list[Call]]:
        calls: dict[int, dict[tuple[int, tuple[str, ...], bool, bool, bool, bool], list[int]]] = {}
        for text, node, context in self.seen.calls:
            ref = self.types.reference(text, context.scope) if text != "cls" else self._own_class(context)
            if ref is None or (not ref.level and ref.module.partition(".")[0] in STANDARD_LIBRARY):
                continue
            if not self.excuses.excuse(context, "TypeError") and not _is_sketched(node):
                shape = (*arguments_of(node), text == "cls", self.excuses.expects_values_to_fail(context))
                alike = calls.setdefault(self._index(ref), {})
                alike.setdefault(shape, []).extend((*place(node.func), self._where(context)))
        return {ref: [Call(*shape, tuple(places)) for shape, places in alike.items()] for ref, alike in calls.items()}


def _is_sketched(node: ast.Call) -> bool:
    """Whether a call is `C(...)`, which stands for one with whatever arguments it takes."""
    only = node.args[0] if len(node.args) == 1 and not node.keywords else None
    return isinstance(only, ast.Constant) and only.value is ...


def _listed(given: ast.expr, scope: Scope) -> Iterator[ast.expr]:
    """The bases that an argument holds: one, or those of a tuple, which may have a name."""
    values = [given]
    if isinstance(given, ast.Name):
        found = scope.lookup(given.id)
        values += [binding.value for binding in found[1] if binding.value is not None] if found is not None else []
    for value in values:
        if isinstance(value, (ast.Tuple, ast.List)):
            yield from value.elts
        elif value is given:
            yield value


def _updated(node: ast.Call) -> tuple[str, ...]:
    """The keys in `model_copy(update={…})`; nothing where they are not written."""
    update = next((keyword.value for keyword in node.keywords if keyword.arg == "update"), None)
    if not isinstance(update, ast.Dict):
        return ()
    keys = [key.value for key in update.keys if isinstance(key, ast.Constant) and isinstance(key.value, str)]
    return tuple(keys) if len(keys) == len(update.keys) else ()
