"""Request code: which parts of the request a function reads and sets, in the order in which it runs.

A read counts as *before* the inner layers where no path to it has called them: behind `await call_next(request)` the
inner layers have filled the same scope, and reading from it works from anywhere.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from guard.checks.middleware_carriers import PARTS, WRAPPERS, Carriers, part_of
from guard.checks.middleware_facts import Flow, Handoff, Place4
from guard.checks.middleware_facts import Touch as TouchFact
from guard.checks.middleware_names import Names, last_name, looks_like_request, place_of
from guard.checks.middleware_refusals import (
    CREDENTIALS,
    INWARD,
    REFUSING_ERRORS,
    Inward,
    answers_any,
    is_401,
    lets_most_pass,
    refusing,
    status_of,
)
from guard.checks.middleware_served import served_as
from guard.scopes import Scope, caught_names

AnyFunction = ast.FunctionDef | ast.AsyncFunctionDef

_SWALLOWS_ASSERTION: Final = frozenset({"Exception", "BaseException", "AssertionError"})
_SWALLOWS_ATTRIBUTE: Final = frozenset({"Exception", "BaseException", "AttributeError"})
_SWALLOWS_HTTP: Final = frozenset({"Exception", "BaseException", "HTTPException", "StarletteHTTPException"})


class _State(msgspec.Struct, frozen=True):
    """What holds at one point: whether the inner layers may have run, which parts are known to be there, and whether
    only some requests come here: those of certain paths, or that ask for it."""

    after: bool = False
    there: frozenset[str] = frozenset()
    narrowed: bool = False


def _joined(states: Iterable[_State | None]) -> _State | None:
    """What holds where several paths meet; None where none arrives."""
    arriving = [state for state in states if state is not None]
    if not arriving:
        return None
    there = frozenset.intersection(*(state.there for state in arriving))
    after = any(state.after for state in arriving)
    return _State(after, there, all(state.narrowed for state in arriving))


class FlowReader:
    """Reads one function. Use `read_flow`."""

    def __init__(
        self,
        node: AnyFunction,
        name: str,
        scope: Scope,
        names: Names,
        inward: Inward,
        params: tuple[str, ...],
        carriers: Sequence[str],
        *,
        in_class: bool,
    ) -> None:
        self._node = node
        self._name = name
        self._scope = scope
        self._names = names
        self._inward = inward
        self._params = params
        self._own = params[0] if in_class and params else ""
        self._carriers = Carriers(carriers)
        self._touches: dict[tuple[str, str, str, bool], TouchFact] = {}
        self._handoffs: list[Handoff] = []
        self._refuses: list[tuple[Place4, bool]] = []
        self._raises: list[Place4] = []
        self._handlers: list[frozenset[str]] = []
        self._catches = False

    def read(self, *, helps: bool, depended: bool) -> Flow | None:
        """The function's flow; None where it touches no request. `helps`: it may do so without being handed one;
        `depended`: it stands in a `Depends(…)`."""
        try:
            self._block(self._node.body, _State())
        except RecursionError:
            return None  # nested beyond what can be followed: nothing is known of it
        telling = helps or bool(self._touches or self._refuses or self._raises)
        texts = self._texts() if telling else frozenset()
        writes_cors = any(text.startswith("access-control-") for text in texts)
        lifespan = self._yields_state()
        served = served_as(self._node, self._scope, self._names, depended=depended)
        found = self._touches or self._handoffs or self._refuses or self._raises or self._catches
        if not (found or writes_cors or lifespan or served.kind == "websocket"):
            return None
        about_credentials = any(sign in text for text in texts for sign in CREDENTIALS)
        refuses = tuple(place for place, is_401 in self._refuses if is_401 or about_credentials)
        return Flow(
            self._name,
            self._params,
            tuple(sorted(self._touches.values(), key=lambda touch: touch.place)),
            tuple(self._handoffs),
            refuses,
            tuple(self._raises),
            "options" in texts,
            writes_cors,
            lifespan,
            served.kind,
            served.request,
            served.bare,
            self._catches,
            served.place,
            served.trusts,
        )

    def _yields_state(self) -> bool:
        """Whether it is a lifespan that yields something: what it yields becomes the state of every request."""
        if not self._scope.has_yield or not any("contextmanager" in last_name(d) for d in self._node.decorator_list):
            return False
        return any(
            isinstance(node, ast.Yield) and node.value is not None and not _is_none(node.value)
            for node in ast.walk(self._node)
        )

    def _texts(self) -> frozenset[str]:
        return frozenset(
            node.value.lower()
            for node in ast.walk(self._node)
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) < 60
        )

    # Statements

    def _block(self, statements: Sequence[ast.stmt], state: _State) -> _State | None:
        current: _State | None = state
        for statement in statements:
            if current is None:
                return None
            current = self._statement(statement, current)
        return current

    def _statement(self, node: ast.stmt, state: _State) -> _State | None:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            return state  # when a closure runs is not known
        if isinstance(node, ast.Return):
            self._visit(node.value, state)
            return None
        if isinstance(node, ast.Raise):
            self._raised(node, state)
            self._visit(node.exc, state)
            return None
        if isinstance(node, (ast.Continue, ast.Break)):
            return None
        if isinstance(node, ast.If):
            return self._if(node, state)
        if isinstance(node, ast.Try) or node.__class__.__name__ == "TryStar":
            return self._try(node, state)  # type: ignore[arg-type]
        if isinstance(node, (ast.For, ast.AsyncFor, ast.While)):
            state = self._visit(node.iter if not isinstance(node, ast.While) else node.test, state)
            body = self._block(node.body, state)
            # A `continue` or `break` ends the block, not the loop: what it has called has been called.
            if body is None and self._inward.is_called_in(node.body):
                state = msgspec.structs.replace(state, after=True)
            return self._block(node.orelse, _joined((state, body)) or state)
        if isinstance(node, (ast.With, ast.AsyncWith)):
            for item in node.items:
                state = self._visit(item.context_expr, state)
            return self._block(node.body, state)
        if isinstance(node, ast.Match):
            state = self._visit(node.subject, state)
            return _joined([state, *(self._block(case.body, state) for case in node.cases)])
        if isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
            return self._assign(node, state)
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                state = self._visit(child, state)
        return state

    def _if(self, node: ast.If, state: _State) -> _State | None:
        state = self._visit(node.test, state)
        present, absent = self._carriers.told_by(node.test)
        then = self._block(node.body, msgspec.structs.replace(state, there=state.there | present))
        if then is None and self._inward.is_called_in(node.body) and lets_most_pass(node):
            state = msgspec.structs.replace(state, narrowed=True)
        otherwise = self._block(node.orelse, msgspec.structs.replace(state, there=state.there | absent))
        return _joined((then, otherwise))

    def _try(self, node: ast.Try, state: _State) -> _State | None:
        caught = frozenset(
            name.rpartition(".")[2] for handler in node.handlers for name in caught_names(handler) or ("BaseException",)
        )
        self._handlers.append(caught)
        body = self._block(node.body, state)
        self._handlers.pop()
        inward = self._inward.is_called_in(node.body)
        failed = msgspec.structs.replace(state, after=state.after or inward)
        if body is not None:
            body = self._block(node.orelse, body)
        ends = [body, *(self._block(handler.body, failed) for handler in node.handlers)]
        self._catches = self._catches or (inward and any(map(answers_any, node.handlers)))
        joined = _joined(ends)
        if not node.finalbody:
            return joined
        finished = self._block(node.finalbody, joined or failed)
        return finished if joined is not None else None

    def _assign(self, node: ast.Assign | ast.AnnAssign | ast.AugAssign, state: _State) -> _State:
        state = self._visit(node.value, state)
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        for target in targets:
            if isinstance(target, ast.Name) and node.value is not None:
                carried = self._carriers.carrier(node.value)
                if carried is not None:
                    self._carriers.bind(target.id, carried)
            else:
                for element in target.elts if isinstance(target, (ast.Tuple, ast.List)) else [target]:
                    state = self._store(element, state)
        return state

    def _store(self, target: ast.expr, state: _State) -> _State:
        found = self._carriers.part(target)
        if found is None:
            if isinstance(target, (ast.Attribute, ast.Subscript)):
                state = self._visit(target.value, state)
            return state
        part, param = found
        self._touch(param, part, "set", target, state)
        return msgspec.structs.replace(state, there=state.there | {part})

    # Expressions

    def _visit(self, node: ast.expr | None, state: _State) -> _State:
        """Note what an expression reads, in the order of evaluation; gives what holds behind it."""
        if node is None or isinstance(node, (ast.Constant, ast.Name, ast.Lambda)):
            return state
        if isinstance(node, ast.BoolOp):
            inner = state
            for value in node.values:
                inner = self._visit(value, inner)
                present, absent = self._carriers.told_by(value)
                told = present if isinstance(node.op, ast.And) else absent
                inner = msgspec.structs.replace(inner, there=inner.there | told)
            return msgspec.structs.replace(state, after=inner.after)
        if isinstance(node, ast.IfExp):
            state = self._visit(node.test, state)
            present, absent = self._carriers.told_by(node.test)
            self._visit(node.body, msgspec.structs.replace(state, there=state.there | present))
            self._visit(node.orelse, msgspec.structs.replace(state, there=state.there | absent))
            return msgspec.structs.replace(state, after=state.after or self._inward.is_called_in([node]))
        if isinstance(node, ast.Call):
            return self._call(node, state)
        found = self._carriers.part(node)
        if found is not None:
            self._touch(found[1], found[0], "read", node, state)
            return state
        if isinstance(node, ast.Attribute):
            return self._visit(node.value, state)
        if isinstance(node, ast.Dict):
            state = self._dict(node, state)
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                state = self._visit(child, state)
            elif isinstance(child, ast.comprehension):
                for part in (child.iter, *child.ifs):
                    state = self._visit(part, state)
        return state

    def _dict(self, node: ast.Dict, state: _State) -> _State:
        """`{**scope, "session": …}` is a scope that has it; a message of status 401 is a refusal."""
        keys = {
            key.value: value for key, value in zip(node.keys, node.values, strict=True) if isinstance(key, ast.Constant)
        }
        if any(
            key is None and self._carriers.carrier(value) for key, value in zip(node.keys, node.values, strict=True)
        ):
            for part in sorted({part for part in (part_of("request", key) for key in keys) if part is not None}):
                self._touch(self._carrier_of_spread(node), part, "set", node, state)
                state = msgspec.structs.replace(state, there=state.there | {part})
        kind = keys.get("type")
        if isinstance(kind, ast.Constant) and kind.value == "http.response.start" and refusing(keys.get("status")):
            if state.narrowed:
                return state
            self._refuses.append((place_of(node), is_401(keys.get("status"))))
        return state

    def _carrier_of_spread(self, node: ast.Dict) -> str:
        for key, value in zip(node.keys, node.values, strict=True):
            carried = self._carriers.carrier(value) if key is None else None
            if carried is not None:
                return carried[1]
        return ""

    def _call(self, node: ast.Call, state: _State) -> _State:
        if self._asks(node, state):
            return state
        for argument in (*node.args, *(keyword.value for keyword in node.keywords)):
            inner = argument.value if isinstance(argument, ast.Starred) else argument
            state = self._visit(inner, state)
        func = node.func
        if isinstance(func, ast.Attribute):
            state = self._method(node, func, state)
        elif not isinstance(func, ast.Name):
            state = self._visit(func, state)
        last = last_name(func)
        if last.endswith(("Response", "json_response")) and refusing(status_of(node, 1)) and not state.narrowed:
            self._refuses.append((place_of(node), is_401(status_of(node, 1))))
        if self._goes_inward(node):
            return msgspec.structs.replace(state, after=True)
        self._hand_on(node, state)
        if any(isinstance(argument, ast.Name) and argument.id == "call_next" for argument in node.args):
            return msgspec.structs.replace(state, after=True)
        return state

    def _method(self, node: ast.Call, func: ast.Attribute, state: _State) -> _State:
        carried = self._carriers.carrier(func.value)
        if carried is None or func.attr not in ("update", "setdefault", "get", "pop"):
            return self._visit(func.value, state)
        kind, param = carried
        parts = [keyword.arg for keyword in node.keywords if keyword.arg]
        first = node.args[0] if node.args else None
        if isinstance(first, ast.Constant) and isinstance(first.value, str):
            parts.append(first.value)
        elif isinstance(first, ast.Dict):
            parts += [str(key.value) for key in first.keys if isinstance(key, ast.Constant)]
        for name in parts:
            part = part_of(kind, name)
            if func.attr in ("update", "setdefault") and part is not None:
                self._touch(param, part, "set", node, state)
                state = msgspec.structs.replace(state, there=state.there | {part})
        return state

    def _asks(self, node: ast.Call, state: _State) -> bool:
        """`hasattr`, `getattr` and `setattr` of a part that is named."""
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name not in ("hasattr", "getattr", "setattr") or len(node.args) < 2:
            return False
        carried, attribute = self._carriers.carrier(node.args[0]), node.args[1]
        if carried is None or not (isinstance(attribute, ast.Constant) and isinstance(attribute.value, str)):
            return False
        kind, param = carried
        part = f"state.{attribute.value}" if kind == "state" else attribute.value
        if kind == "request" and part not in PARTS:
            return True
        how = {"hasattr": "hasattr", "setattr": "set"}.get(name) or ("getattr" if len(node.args) > 2 else "read")
        self._touch(param, part, how, node, state)
        return True

    def _goes_inward(self, node: ast.Call) -> bool:
        """Whether this call runs the inner layers: `call_next(request)`, `self.app(scope, receive, send)`."""
        func = node.func
        last = last_name(func)
        if last in INWARD or (last == "__call__" and any(self._carriers.carrier(argument) for argument in node.args)):
            return True
        if isinstance(func, ast.Name) and func.id in self._params and func.id not in self._carriers:
            return any(self._carriers.carrier(argument) for argument in node.args)
        return (
            len(node.args) >= 3 and self._carriers.carrier(node.args[0]) is not None and isinstance(func, ast.Attribute)
        )

    def _hand_on(self, node: ast.Call, state: _State) -> None:
        func = node.func
        own = isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name) and func.value.id == self._own
        pairs: list[tuple[int | str, str]] = []
        for index, argument in enumerate(node.args):
            carried = self._carriers.carrier(argument)
            if carried is not None and carried[0] == "request":
                pairs.append((index, carried[1]))
        for keyword in node.keywords:
            carried = self._carriers.carrier(keyword.value)
            if keyword.arg and carried is not None and carried[0] == "request":
                pairs.append((keyword.arg, carried[1]))
        if not (pairs or (own and self._own)) or last_name(func) in WRAPPERS:
            return
        target = self._names.expr(func, self._scope)
        caught = any(self._handlers_catch(_SWALLOWS_ASSERTION))
        spared = any(self._handlers_catch(_SWALLOWS_ATTRIBUTE))
        self._handoffs.append(Handoff(target, tuple(pairs), state.after, caught, state.narrowed, spared))

    def _touch(self, param: str, part: str, how: str, node: ast.AST, state: _State) -> None:
        if how != "set" and part in state.there:
            return
        key = (param, part, "set" if how == "set" else "read", state.after)
        if key not in self._touches:
            caught = any(self._handlers_catch(_SWALLOWS_ASSERTION))
            spared = any(self._handlers_catch(_SWALLOWS_ATTRIBUTE))
            self._touches[key] = TouchFact(param, part, how, place_of(node), state.after, caught, spared)

    def _handlers_catch(self, names: frozenset[str]) -> Iterable[bool]:
        return (bool(caught & names) for caught in self._handlers)

    # Refusals

    def _raised(self, node: ast.Raise, state: _State) -> None:
        exception = node.exc
        made = last_name(exception.func if isinstance(exception, ast.Call) else exception)
        if made.endswith("HTTPException") and isinstance(exception, ast.Call):
            refuses = refusing(status_of(exception, 0))
        else:
            refuses = made in REFUSING_ERRORS
        if refuses and not state.narrowed and not any(self._handlers_catch(_SWALLOWS_HTTP)):
            self._raises.append(place_of(node))


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def read_flow(
    node: AnyFunction,
    name: str,
    scope: Scope,
    names: Names,
    inward: Inward,
    *,
    in_class: bool,
    helps: bool,
    depended: bool = False,
) -> Flow | None:
    """What a function does with the requests that it is handed; None where it does nothing with one.

    `helps` is True for a function that may be part of a layer without being handed the request: a method beside a
    `dispatch`; `depended` for one that stands in a `Depends(…)`.
    """
    arguments = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
    carriers = [
        arg.arg
        for index, arg in enumerate(arguments)
        if looks_like_request(arg.arg, arg.annotation)
        or (in_class and index == 1 and node.name in ("dispatch", "__call__", "authenticate"))
    ]
    if not (carriers or helps or scope.has_yield):
        return None
    params = tuple(arg.arg for arg in arguments)
    reader = FlowReader(node, name, scope, names, inward, params, carriers, in_class=in_class)
    return reader.read(helps=helps, depended=depended)
