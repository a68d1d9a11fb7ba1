"""Which names of a module there is a way to leave unbound: definite assignment, for the few names that are bound in
branches only.

What is only decided where the code runs, and the same way on every machine of its kind (`TYPE_CHECKING`), counts as
bound; so does what a loop with an `else`, or one over literal elements, binds.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence, Set
from typing import Final

from guard.scopes import constant_truth, dotted, never_returns

_TYPE_ALIAS: Final[type[ast.stmt] | None] = getattr(ast, "TypeAlias", None)
_Ways = frozenset[str] | None
"""The names that are bound on every way to the end of a block; None where no way leads there."""
_NOTHING: Final[frozenset[str]] = frozenset()


def left_unbound(module: ast.AST, names: Iterable[str], declared: Set[str]) -> set[str]:
    """Those of `names` that some way to the end of the module does not bind. `declared` are the names that its
    functions declare `global`. Nothing is said of a module whose code certainly never ends."""
    if not isinstance(module, ast.Module):
        return set()
    wanted = frozenset(names)
    bound = _Search(wanted).block(module.body)
    if bound is None:
        return set()
    rest = wanted - bound
    by_functions = rest & declared
    return set(rest - _bound_by_calls(module, by_functions)) if by_functions else set(rest)


class _Search:
    def __init__(self, wanted: frozenset[str]) -> None:
        self._wanted = wanted

    def block(self, statements: Sequence[ast.stmt]) -> _Ways:
        found = _NOTHING
        for statement in statements:
            bound = self._statement(statement)
            if bound is None:
                return None
            found |= bound
        return found

    def _statement(self, node: ast.stmt) -> _Ways:
        if isinstance(node, ast.If):
            return self._if(node)
        if isinstance(node, (ast.Try, ast.TryStar)):
            return self._try(node)
        if isinstance(node, (ast.For, ast.AsyncFor)):
            return self._loop(node.body, node.orelse, certain=_has_elements(node.iter), target=node.target)
        if isinstance(node, ast.While):
            return self._loop(node.body, node.orelse, certain=constant_truth(node.test) is True)
        if isinstance(node, (ast.With, ast.AsyncWith)):
            bound = self.block(node.body)
            if any(_may_swallow(item.context_expr) for item in node.items):
                return _NOTHING
            targets = [item.optional_vars for item in node.items if item.optional_vars is not None]
            return None if bound is None else bound | self._stored(targets)
        if isinstance(node, ast.Match):
            return self._match(node)
        if isinstance(node, ast.Raise) or (isinstance(node, ast.Assert) and constant_truth(node.test) is False):
            return None
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and never_returns(node.value):
            return None
        return self._simple(node)

    def _simple(self, node: ast.stmt) -> frozenset[str]:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            return self._wanted & {node.name}
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            plain = isinstance(node, ast.Import)
            return self._wanted & {
                alias.asname or (alias.name.partition(".")[0] if plain else alias.name) for alias in node.names
            }
        if isinstance(node, ast.Assign):
            return self._stored(node.targets)
        if isinstance(node, ast.AugAssign) or (isinstance(node, ast.AnnAssign) and node.value is not None):
            return self._stored([node.target])
        if _TYPE_ALIAS is not None and isinstance(node, _TYPE_ALIAS):
            return self._stored([node.name])  # type: ignore[attr-defined]
        return _NOTHING

    def _stored(self, nodes: Iterable[ast.AST]) -> frozenset[str]:
        found = set()
        for node in nodes:
            for inner in ast.walk(node):
                if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store) and inner.id in self._wanted:
                    found.add(inner.id)
        return frozenset(found)

    def _if(self, node: ast.If) -> _Ways:
        # An `elif` is an `If` alone in `orelse`: gathered in a loop, so that a thousand of them are no recursion.
        ways: list[_Ways] = []
        for_all = _NOTHING
        while True:
            then = self.block(node.body)
            truth = constant_truth(node.test)
            if truth is not False:
                ways.append(then)
            if _asks_for_checker(node.test) or _asks_for_itself(node.test):
                for_all |= then or _NOTHING
            if truth is True:
                break
            if len(node.orelse) == 1 and isinstance(node.orelse[0], ast.If):
                node = node.orelse[0]
                continue
            ways.append(self.block(node.orelse))
            break
        met = _meet(ways)
        return None if met is None else met | for_all

    def _loop(
        self, body: Sequence[ast.stmt], orelse: Sequence[ast.stmt], *, certain: bool, target: ast.expr | None = None
    ) -> _Ways:
        bound = self.block(body) or _NOTHING
        if certain or orelse:
            bound |= (self.block(orelse) or _NOTHING) | (self._stored([target]) if target is not None else _NOTHING)
            return bound
        return _NOTHING

    def _try(self, node: ast.Try | ast.TryStar) -> _Ways:
        bound = self.block(node.body)
        if bound is not None:
            rest = self.block(node.orelse)
            bound = None if rest is None else bound | rest
        harmless = _first_that_may_fail(node.body)
        before = frozenset[str]().union(*map(self._simple, node.body[:harmless]))
        ways = [bound]
        for handler in node.handlers if harmless < len(node.body) else ():
            way = self.block(handler.body)
            ways.append(None if way is None else way | before)
        last = self.block(node.finalbody)
        met = _meet(ways)
        return None if met is None or last is None else met | last

    def _match(self, node: ast.Match) -> _Ways:
        ways = []
        for case in node.cases:
            way = self.block(case.body)
            ways.append(None if way is None else way | self._captured(case.pattern))
        last = node.cases[-1]
        if last.guard is not None or not (isinstance(last.pattern, ast.MatchAs) and last.pattern.pattern is None):
            ways.append(_NOTHING)
        return _meet(ways)

    def _captured(self, pattern: ast.pattern) -> frozenset[str]:
        names = {getattr(inner, "name", None) or getattr(inner, "rest", None) for inner in ast.walk(pattern)}
        return self._wanted & names


def _meet(ways: Sequence[_Ways]) -> _Ways:
    """What all ways that lead on have bound."""
    known = [way for way in ways if way is not None]
    return frozenset.intersection(*known) if known else None


def _has_elements(iterated: ast.expr) -> bool:
    if isinstance(iterated, (ast.List, ast.Tuple, ast.Set)):
        return any(not isinstance(element, ast.Starred) for element in iterated.elts)
    if isinstance(iterated, ast.Dict):
        return bool(iterated.keys)
    if isinstance(iterated, ast.Constant):
        return bool(iterated.value)
    if isinstance(iterated, ast.Call):
        name = dotted(iterated.func)
        if name in ("enumerate", "sorted", "reversed", "list", "tuple", "set") and iterated.args:
            return _has_elements(iterated.args[0])
        if isinstance(iterated.func, ast.Attribute) and iterated.func.attr in ("items", "keys", "values"):
            return _has_elements(iterated.func.value)
        if name == "range" and len(iterated.args) == 1:
            first = iterated.args[0]
            return isinstance(first, ast.Constant) and isinstance(first.value, int) and first.value > 0
    return False


def _may_swallow(manager: ast.expr) -> bool:
    return isinstance(manager, ast.Call) and dotted(manager.func).rpartition(".")[2] == "suppress"


def _asks_for_checker(test: ast.expr) -> bool:
    return any(
        (isinstance(node, ast.Name) and node.id == "TYPE_CHECKING")
        or (isinstance(node, ast.Attribute) and node.attr == "TYPE_CHECKING")
        for node in ast.walk(test)
    )


def _asks_for_itself(test: ast.expr) -> bool:
    """Whether a test asks if a module has been executed before: `"name" not in globals()`."""
    return (
        isinstance(test, ast.Compare)
        and isinstance(test.ops[0], (ast.In, ast.NotIn))
        and isinstance(test.comparators[0], ast.Call)
        and dotted(test.comparators[0].func) in ("globals", "vars", "locals", "dir")
    )


def _first_that_may_fail(body: Sequence[ast.stmt]) -> int:
    """How many statements at the beginning of a block can hardly raise anything."""
    for index, node in enumerate(body):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and not node.decorator_list:
            continue
        if not isinstance(node, (ast.Assign, ast.AnnAssign)) or node.value is None:
            return index
        if any(isinstance(inner, (ast.Call, ast.Attribute, ast.Subscript, ast.BinOp)) for inner in ast.walk(node)):
            return index
    return len(body)


def _bound_by_calls(module: ast.Module, names: frozenset[str]) -> set[str]:
    """Those of the names that a function declares `global` which the module calls while it is imported, perhaps through
    other functions of the module."""
    declares: dict[str, set[str]] = {}
    calls: dict[str, set[str]] = {}
    waiting: list[tuple[str, ast.AST]] = [("", node) for node in module.body]
    while waiting:
        owner, node = waiting.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            waiting += [(owner, decorator) for decorator in node.decorator_list]
            waiting += [(node.name, statement) for statement in node.body]
            continue
        if isinstance(node, ast.ClassDef):
            calls.setdefault(node.name, set()).update(("__init__", "__new__", "__post_init__"))
        if isinstance(node, ast.Global):
            declares.setdefault(owner, set()).update(names.intersection(node.names))
        elif isinstance(node, (ast.Name, ast.Attribute)) and isinstance(node.ctx, ast.Load):
            # Handed on as a value, a function may be called too.
            calls.setdefault(owner, set()).add(node.id if isinstance(node, ast.Name) else node.attr)
        waiting += [(owner, child) for child in ast.iter_child_nodes(node)]
    found: set[str] = set()
    seen = {""}
    queue = [""]
    while queue:
        owner = queue.pop()
        found |= declares.get(owner, set())
        for called in calls.get(owner, set()) - seen:
            seen.add(called)
            queue.append(called)
    return found
