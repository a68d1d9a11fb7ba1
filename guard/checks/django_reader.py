"""The statements of a Django settings module that make up its `MIDDLEWARE`, as `Op` has them."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence, Set
from typing import Final

from guard.checks.django_facts import (
    Arm,
    Branch,
    Cut,
    Either,
    Expr,
    Forget,
    From,
    Insert,
    Let,
    Listing,
    Name,
    Op,
    Remove,
    Spread,
    Sum,
    Taken,
    Text,
    Truth,
    Unknown,
    Without,
)
from guard.checks.middleware_names import last_name, place_of, text_of
from guard.checks.references import Ref, reference
from guard.scopes import Scope, caught_names

WANTED: Final = frozenset({"MIDDLEWARE", "INSTALLED_APPS", "MESSAGE_STORAGE", "CSRF_USE_SESSIONS"})
"""The settings whose values matter for the order of middleware."""
_DEEPEST: Final = 40
_ALL_VARIABLES: Final = frozenset({"locals", "globals", "vars", "exec"})


class SettingsReader:
    """Turns the statements of one module into `Op`."""

    def __init__(self, module: Scope, given: Set[str]) -> None:
        """`given` are the variables whose values are given to methods of lists."""
        self._module = module
        self._wanted = self._all_wanted(given)

    def _all_wanted(self, given: Set[str]) -> frozenset[str]:
        """The settings themselves, and the variables that they are made of."""
        wanted = {*WANTED, *given}
        for _ in range(3):
            size = len(wanted)
            for name in wanted & self._module.bindings.keys():
                for binding in self._module.bindings[name]:
                    value = binding.value
                    if value is None and isinstance(binding.node, ast.AugAssign):
                        value = binding.node.value
                    wanted |= variables_in(value, 0)
            if len(wanted) == size:
                break
        return frozenset(wanted)

    def read(self, tree: ast.Module) -> tuple[Op, ...]:
        """The module's own statements; nothing where none of them is about a setting."""
        ops = self._block(tree.body, 0)
        return ops if "MIDDLEWARE" in self._module.bindings or _mentions(ops) else ()

    def _block(self, statements: Sequence[ast.stmt], depth: int) -> tuple[Op, ...]:
        if depth > _DEEPEST:
            raise RecursionError
        return tuple(op for statement in statements for op in self._statement(statement, depth))

    def _statement(self, node: ast.stmt, depth: int) -> Iterator[Op]:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                yield from self._assign(target, node.value, node.lineno)
        elif isinstance(node, ast.AnnAssign):
            if node.value is not None:
                yield from self._assign(node.target, node.value, node.lineno)
        elif isinstance(node, ast.AugAssign):
            yield from self._augmented(node)
        elif isinstance(node, ast.Expr):
            if isinstance(node.value, ast.Call):
                yield from self._call(node.value)
        elif isinstance(node, ast.ImportFrom):
            yield from self._import(node)
        elif isinstance(node, ast.Delete):
            for target in node.targets:
                yield from self._forget(target)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            told = [name for statement in node.body if isinstance(statement, ast.Global) for name in statement.names]
            yield from (Forget(name) for name in told if name in self._wanted)
        else:
            yield from self._compound(node, depth)

    def _compound(self, node: ast.stmt, depth: int) -> Iterator[Op]:
        if isinstance(node, ast.If):
            then, otherwise = self._block(node.body, depth + 1), self._block(node.orelse, depth + 1)
            if isinstance(node.test, ast.Constant):
                yield from then if node.test.value else otherwise
            elif then or otherwise:
                text = text_of(node.test)
                yield Branch(text, node.lineno, (Arm(text, then), Arm(f"not ({text})", otherwise)))
        elif isinstance(node, ast.Try) or node.__class__.__name__ == "TryStar":
            yield from self._try(node, depth)  # type: ignore[arg-type]
        elif isinstance(node, (ast.With, ast.AsyncWith)):
            yield from self._block(node.body, depth + 1)
        elif isinstance(node, (ast.For, ast.AsyncFor, ast.While)):
            yield from _repeated(self._block([*node.body, *node.orelse], depth + 1))
        elif isinstance(node, ast.Match):
            subject = text_of(node.subject)
            arms = [Arm(f"{subject} is {text_of(c.pattern)}", self._block(c.body, depth + 1)) for c in node.cases]
            arms.append(Arm(f"{subject} is none of these", ()))
            if any(arm.body for arm in arms):
                yield Branch(subject, node.lineno, tuple(arms))

    def _try(self, node: ast.Try, depth: int) -> Iterator[Op]:
        arms = [Arm("", self._block([*node.body, *node.orelse], depth + 1))]
        for handler in node.handlers:
            what = ", ".join(caught_names(handler)) or "anything"
            body = self._block(handler.body, depth + 1)
            if handler.body and isinstance(handler.body[-1], ast.Raise):
                continue  # there are no settings then
            arms.append(Arm(f"{what} is raised behind line {node.lineno}", body))
        if len(arms) == 1:
            yield from arms[0].body
        elif any(arm.body for arm in arms):
            yield Branch(f"try@{node.lineno}", node.lineno, tuple(arms))
        yield from self._block(node.finalbody, depth + 1)

    def _import(self, node: ast.ImportFrom) -> Iterator[Op]:
        for alias in node.names:
            if alias.name == "*":
                yield From(node.level, node.module or "")
            elif (alias.asname or alias.name) in self._wanted:
                ref = Ref(node.level, node.module or "", alias.name)
                yield Let(alias.asname or alias.name, Taken(ref), node.lineno)

    def _assign(self, target: ast.expr, value: ast.expr, line: int) -> Iterator[Op]:
        if isinstance(target, ast.Name):
            if target.id in self._wanted:
                yield Let(target.id, self._expr(value, 0), line)
        else:
            yield from self._forget(target)

    def _forget(self, target: ast.expr) -> Iterator[Op]:
        """`MIDDLEWARE[0] = …`, `del MIDDLEWARE[1]`, `A, MIDDLEWARE = …`."""
        if isinstance(target, (ast.Tuple, ast.List)):
            for element in target.elts:
                yield from self._forget(element)
        while isinstance(target, (ast.Subscript, ast.Starred)):
            target = target.value
        if isinstance(target, ast.Name) and target.id in self._wanted:
            yield Forget(target.id)
        elif isinstance(target, ast.Call) and last_name(target.func) in _ALL_VARIABLES:
            yield Forget("")  # globals()["MIDDLEWARE"] = …

    def _augmented(self, node: ast.AugAssign) -> Iterator[Op]:
        target = node.target
        if isinstance(target, ast.Name) and target.id in self._wanted:
            if isinstance(node.op, ast.Add):
                yield Let(target.id, Sum(Name(target.id), self._expr(node.value, 0)), node.lineno)
            else:
                yield Forget(target.id)
        else:
            yield from self._forget(target)

    def _call(self, call: ast.Call) -> Iterator[Op]:
        func = call.func
        if isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name) and func.value.id in self._wanted:
            yield self._method(func.value.id, func.attr, call)
            return
        for argument in (*call.args, *(keyword.value for keyword in call.keywords)):
            if isinstance(argument, ast.Call) and last_name(argument.func) in _ALL_VARIABLES:
                yield Forget("")
            elif isinstance(argument, ast.Name) and argument.id in self._wanted and last_name(func) != "print":
                yield Forget(argument.id)
        if last_name(func) in ("exec", "include") or (
            isinstance(func, ast.Attribute)
            and isinstance(func.value, ast.Call)
            and last_name(func.value.func) in _ALL_VARIABLES
        ):
            yield Forget("")

    def _method(self, name: str, method: str, call: ast.Call) -> Op:
        args, line = call.args, call.lineno
        if method == "append" and len(args) == 1:
            return Let(name, Sum(Name(name), Listing((self._expr(args[0], 0),))), line)
        if method == "extend" and len(args) == 1:
            return Let(name, Sum(Name(name), self._expr(args[0], 0)), line)
        if method == "insert" and len(args) == 2:
            place = self._position(args[0], name)
            if place is not None:
                return Insert(name, place[1], place[0], self._expr(args[1], 0), line)
        if method == "remove" and len(args) == 1:
            text = args[0]
            if isinstance(text, ast.Constant) and isinstance(text.value, str):
                return Remove(name, text.value)
        return Forget(name)

    def _position(self, node: ast.expr, name: str, depth: int = 0) -> tuple[str, int] | None:
        """Where `insert` puts something: the text that it looks up, and what is added to its place."""
        if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Sub)):
            inner, offset = self._position(node.left, name, depth), _whole(node.right)
            if inner is None or offset is None:
                return None
            return inner[0], inner[1] + (offset if isinstance(node.op, ast.Add) else -offset)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "index":
            text = node.args[0] if len(node.args) == 1 else None
            if last_name(node.func.value) == name and isinstance(text, ast.Constant) and isinstance(text.value, str):
                return text.value, 0
            return None
        if isinstance(node, ast.Name) and not depth:
            bindings = self._module.bindings.get(node.id, ())
            value = bindings[0].value if len(bindings) == 1 else None
            return self._position(value, name, 1) if value is not None else None
        number = _whole(node)
        return None if number is None else ("", number)

    # Expressions

    def _expr(self, node: ast.expr, depth: int) -> Expr:
        if depth > _DEEPEST:
            return Unknown()
        if isinstance(node, ast.Constant):
            if isinstance(node.value, str):
                return Text(node.value, place_of(node))
            return Truth(bool(node.value)) if node.value is None or isinstance(node.value, bool) else Unknown()
        if isinstance(node, ast.Name):
            return Name(node.id)
        if isinstance(node, ast.Attribute):
            ref = reference(node, self._module)
            return Taken(ref) if ref is not None else Unknown()
        if isinstance(node, (ast.List, ast.Tuple)):
            return Listing(tuple(self._expr(item, depth + 1) for item in node.elts))
        if isinstance(node, ast.Starred):
            return Spread(self._expr(node.value, depth + 1))
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            return Sum(self._expr(node.left, depth + 1), self._expr(node.right, depth + 1))
        if isinstance(node, ast.IfExp):
            then, otherwise = self._expr(node.body, depth + 1), self._expr(node.orelse, depth + 1)
            return Either(text_of(node.test), node.lineno, then, otherwise)
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice) and node.slice.step is None:
            ends = [(end, _whole(end) if end is not None else None) for end in (node.slice.lower, node.slice.upper)]
            if all(end is None or number is not None for end, number in ends):
                return Cut(self._expr(node.value, depth + 1), ends[0][1], ends[1][1])
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("list", "tuple"):
            return self._expr(node.args[0], depth + 1) if len(node.args) == 1 else Unknown()
        if isinstance(node, (ast.ListComp, ast.GeneratorExp)):
            return self._filtered(node, depth)
        return Unknown()

    def _filtered(self, node: ast.ListComp | ast.GeneratorExp, depth: int) -> Expr:
        """`[one for one in value if one != "…"]`, or `not in`; `if one` leaves out what is no name at all."""
        loop = node.generators[0]
        same = isinstance(node.elt, ast.Name) and isinstance(loop.target, ast.Name) and node.elt.id == loop.target.id
        if len(node.generators) > 1 or not same:
            return Unknown()
        names: list[str] = []
        for test in loop.ifs:
            if isinstance(test, ast.Name) and test.id == last_name(node.elt):
                continue
            if not (
                isinstance(test, ast.Compare) and len(test.ops) == 1 and last_name(test.left) == last_name(node.elt)
            ):
                return Unknown()
            right = test.comparators[0]
            if isinstance(test.ops[0], ast.NotEq):
                texts: list[ast.expr] = [right]
            elif isinstance(test.ops[0], ast.NotIn) and isinstance(right, (ast.List, ast.Tuple, ast.Set)):
                texts = right.elts
            else:
                return Unknown()
            for text in texts:
                if not (isinstance(text, ast.Constant) and isinstance(text.value, str)):
                    return Unknown()
                names.append(text.value)
        return Without(self._expr(loop.iter, depth + 1), tuple(names))


def variables_in(node: ast.expr | None, depth: int) -> set[str]:
    """The names that a list is made of."""
    if depth > _DEEPEST or node is None:
        return set()
    if isinstance(node, ast.Name):
        return {node.id}
    parts: list[ast.expr] = []
    if isinstance(node, (ast.List, ast.Tuple)):
        parts = [element for element in node.elts if not isinstance(element, ast.Constant)]
    elif isinstance(node, ast.BinOp):
        parts = [node.left, node.right]
    elif isinstance(node, ast.IfExp):
        parts = [node.body, node.orelse]
    elif isinstance(node, (ast.Starred, ast.Subscript)):
        parts = [node.value]
    elif isinstance(node, ast.Call):
        parts = node.args if last_name(node.func) in ("list", "tuple") else []
    elif isinstance(node, (ast.ListComp, ast.GeneratorExp)):
        parts = [node.generators[0].iter]
    return {name for part in parts for name in variables_in(part, depth + 1)}


def _repeated(ops: Sequence[Op]) -> Iterator[Op]:
    """What a loop does that runs any number of times: what it adds at the end is there, and not known."""
    changed: dict[str, bool] = {}
    for op in _flat(ops):
        if isinstance(op, From):
            yield op
            continue
        adds = isinstance(op, Let) and isinstance(op.value, Sum) and op.value.left == Name(op.name)
        changed[op.name] = adds and changed.get(op.name, True)
    for name, adds in changed.items():
        yield Let(name, Sum(Name(name), Unknown()), 0) if adds else Forget(name)


def _flat(ops: Sequence[Op]) -> Iterator[Let | Insert | Remove | Forget | From]:
    for op in ops:
        if isinstance(op, Branch):
            for arm in op.arms:
                yield from _flat(arm.body)
        else:
            yield op


def _mentions(ops: Sequence[Op]) -> bool:
    return any(op.name == "MIDDLEWARE" for op in _flat(ops) if not isinstance(op, From))


def _whole(node: ast.expr) -> int | None:
    """A whole number as it is written; None for anything else."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = _whole(node.operand)
        return -inner if inner is not None else None
    if isinstance(node, ast.Constant) and isinstance(node.value, int) and not isinstance(node.value, bool):
        return node.value
    return None
