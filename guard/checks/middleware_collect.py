"""The collector of the middleware family: what the one walk over a file yields for it."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec

from guard.checks.middleware_carriers import PARTS
from guard.checks.middleware_facts import Attr, Class, Def, Facts, Flow, Free, Handoff, Super, Var
from guard.checks.middleware_flow import read_flow
from guard.checks.middleware_frameworks import DECORATORS, is_about_any
from guard.checks.middleware_names import Names, last_name
from guard.checks.middleware_prune import prune
from guard.checks.middleware_refusals import Inward
from guard.checks.middleware_setup import AnyFunction, SetupReader
from guard.checks.middleware_wanted import is_about_applications, wanted_names
from guard.listeners import Listeners
from guard.parse import Parsed
from guard.scopes import BindingKind, Context, Scope

_ENTRIES: Final = frozenset({"dispatch", "__call__", "authenticate", "process_request"})
_BASES: Final = ("Middleware", "FastAPI", "Starlette", "Backend")


class Blind:
    """The collector for files that have none of the signs."""

    def listen(self, to: Listeners) -> None:
        """To nothing."""

    def finish(self, module: Scope) -> Facts | None:
        """Nothing."""
        return None


class MiddlewareCollector:
    """Remembers scopes and calls during the walk, and reads functions once it is over."""

    def __init__(self, parsed: Parsed) -> None:
        self._tree: Final = parsed.tree
        self._calls: list[tuple[ast.Call, Scope]] = []
        self._returned: list[tuple[str, Scope]] = []
        self._decorated: list[tuple[str, Scope]] = []
        self._definitions: list[tuple[AnyFunction | ast.ClassDef, Scope]] = []
        self._taken: set[str] = set()
        self._unique: dict[int, str] = {}

    def listen(self, to: Listeners) -> None:
        """Say what it wants to be told of."""
        to.on_every_call(self.on_call)
        to.on(ast.Return, self.on_return)
        for kind in (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef):
            to.on(kind, self.on_definition)

    def on_call(self, node: ast.Call, _name: str, context: Context) -> None:
        """A call."""
        self._calls.append((node, context.scope))

    def on_definition(self, node: AnyFunction | ast.ClassDef, context: Context) -> None:
        """A function or class, before its body: it gets its name, and its bases are read in the scope around it."""
        scope = context.scope
        around = self._unique.get(id(scope.node), "")
        name = f"{around}.{node.name}" if around else node.name
        if name in self._taken:
            name = f"{name}@{node.lineno}"
        self._taken.add(name)
        self._unique[id(node)] = name
        self._definitions.append((node, scope))
        for decorator in node.decorator_list:
            if isinstance(decorator, ast.Attribute) and decorator.attr in DECORATORS:
                self._decorated.append((last_name(decorator.value), scope))

    def on_return(self, node: ast.Return, context: Context) -> None:
        """What a function gives."""
        if isinstance(node.value, ast.Name):
            self._returned.append((node.value.id, context.scope))

    def finish(self, module: Scope) -> Facts | None:
        """The facts of the file; None where it does nothing that matters."""
        if self._tree is None:
            return None
        names = Names(self._unique, _star(self._tree))
        inside = list(_inside(module))
        functions_by_node = {id(scope.node): scope for scope in inside if scope.kind == "function"}
        classes_by_node = {id(scope.node): scope for scope in inside if scope.kind == "class"}
        scopes = [module, *functions_by_node.values()]
        wanted = wanted_names((call for call, _ in self._calls), scopes, (name for name, _ in self._decorated))
        concerned = self._concerned(wanted, scopes)
        asked = [
            (call.args[0], scope)
            for call, scope in self._calls
            if call.args and last_name(call.func) in ("Depends", "Security")
        ]
        depended = frozenset(last_name(arg) for arg, _ in asked)
        dependencies = {
            (found.ref.level, found.ref.module, found.ref.name): found.ref
            for arg, scope in asked
            for found in (names.expr(arg, scope),)
            if isinstance(found, Free) and not found.ref.is_local
        }
        inward = Inward(call for call, _ in self._calls)
        found: list[Flow] = []
        served: set[int] = set(concerned)
        methods: dict[str, list[str]] = {}
        for node, around in self._definitions:
            unique, in_class = self._unique[id(node)], around.kind == "class"
            if isinstance(node, ast.ClassDef):
                methods[unique] = [member.name for member in node.body if isinstance(member, AnyFunction)]
                continue
            scope = functions_by_node.get(id(node))
            if scope is not None:
                owner = unique.rpartition(".")[0] if in_class else ""
                helps = in_class and not _ENTRIES.isdisjoint(methods.get(owner, ()))
                flow = read_flow(
                    node, unique, scope, names, inward, in_class=in_class, helps=helps, depended=node.name in depended
                )
                if flow is not None:
                    found.append(flow)
                    if flow.served == "websocket" or any(touch.part in PARTS for touch in flow.touches):
                        served.add(id(node))
        reader = SetupReader(names, wanted, self._unique, classes_by_node, frozenset(served))
        functions = [reader.module(self._tree, module)]
        for node, around in self._definitions:
            scope = functions_by_node.get(id(node)) if id(node) in concerned else None
            if scope is not None and not isinstance(node, ast.ClassDef):
                name = self._unique[id(node)]
                functions.append(reader.function(node, name, scope, in_class=around.kind == "class"))
        flows = _worth_keeping(found, methods)
        kept = prune([*functions, *reader.bodies], methods)
        used = {function.name.rpartition(".")[0] for function in kept} | {
            flow.name.rpartition(".")[0] for flow in flows
        }
        made = {
            last_name(binding.value.func)
            for scope in scopes
            for name in wanted & scope.bindings.keys()
            for binding in scope.bindings[name]
            if isinstance(binding.value, ast.Call)
        }
        telling = _telling([node for node, _ in self._definitions if isinstance(node, ast.ClassDef)], wanted)
        classes = tuple(
            Class(
                unique,
                tuple(names.expr(base, around) for base in node.bases),
                tuple(methods[unique]),
                node.lineno,
            )
            for node, around in self._definitions
            if isinstance(node, ast.ClassDef)
            for unique in (self._unique[id(node)],)
            if unique in used or node.name in made or node.name in telling
        )
        if not (kept or flows or classes or dependencies):
            return None
        return Facts(kept, flows, classes, tuple(dependencies[key] for key in sorted(dependencies)))

    def _concerned(self, wanted: frozenset[str], scopes: Sequence[Scope]) -> frozenset[int]:
        """The ids of the functions that may hold set-up code: they use a wanted name, make a layer, or call one that
        does, or are methods beside one that does."""
        found = {id(scope.node) for scope in scopes if not wanted.isdisjoint(scope.bindings)}
        found |= {id(scope.node) for _, scope in self._decorated}
        for call, scope in self._calls:
            node = id(scope.node)
            if node not in found and is_about_applications(call, wanted):
                found.add(node)
        for name, scope in self._returned:
            kinds = {binding.kind for binding in scope.bindings.get(name, ())}
            if kinds & {BindingKind.FUNCTION, BindingKind.CLASS} or "iddleware" in scope.qualname:
                found.add(id(scope.node))
        for _ in range(3):
            size = len(found)
            holders = [scope for scope in scopes if id(scope.node) in found and scope.kind == "function"]
            classes = {id(scope.parent) for scope in holders if scope.parent and scope.parent.kind == "class"}
            called = {scope.qualname.rpartition(".")[2] for scope in holders}
            found |= {id(scope.node) for scope in scopes if id(scope.parent) in classes}
            found |= {
                id(scope.node)
                for call, scope in self._calls
                if isinstance(call.func, ast.Name) and call.func.id in called
            }
            if len(found) == size:
                break
        return frozenset(found)


def _star(tree: ast.Module) -> tuple[int, str] | None:
    """Level and module of the one `from … import *` of a file."""
    stars = [
        (node.level, node.module or "")
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.names[0].name == "*"
    ]
    return stars[0] if len(stars) == 1 else None


def _inside(scope: Scope) -> Iterator[Scope]:
    for inner in scope.inner:
        yield inner
        yield from _inside(inner)


def _telling(classes: Sequence[ast.ClassDef], wanted: frozenset[str]) -> frozenset[str]:
    """The names of the classes that may be layers or applications, by their methods, their bases, and where they are
    named; what extends one of them is one too."""
    found: set[str] = set()
    for node in classes:
        bases = {last_name(base) for base in node.bases}
        answers = any(isinstance(member, AnyFunction) and member.name in _ENTRIES for member in node.body)
        extends = any(base.endswith(_BASES) or base in found for base in bases)
        if node.name in wanted or answers or extends:
            found.add(node.name)
    return frozenset(found)


def _worth_keeping(flows: Sequence[Flow], methods: Mapping[str, Sequence[str]]) -> tuple[Flow, ...]:
    """The flows that touch a request, or hand one to somebody who may; the rest of their handoffs left out."""
    here = {flow.name for flow in flows}
    alive = {
        flow.name
        for flow in flows
        if flow.touches
        or flow.refuses
        or flow.raises
        or flow.writes_cors
        or flow.yields_state
        or flow.catches
        or flow.served == "websocket"
    }

    def matters(flow: Flow, handoff: Handoff) -> bool:
        func, owner = handoff.func, flow.name.rpartition(".")[0]
        if isinstance(func, Attr) and isinstance(func.base, Var | Super):
            name = f"{owner}.{func.name}"
            return name in alive if func.name in methods.get(owner, ()) or name in here else bool(handoff.args)
        if isinstance(func, Def):
            return func.name in alive
        if isinstance(func, Free):
            return func.ref.name in alive if func.ref.is_local else bool(handoff.args)
        return False

    growing = True
    while growing:
        more = {f.name for f in flows if f.name not in alive and any(matters(f, handoff) for handoff in f.handoffs)}
        alive |= more
        growing = bool(more)
    return tuple(
        msgspec.structs.replace(flow, handoffs=tuple(h for h in flow.handoffs if matters(flow, h)))
        for flow in flows
        if flow.name in alive
    )


def collector(parsed: Parsed) -> MiddlewareCollector | Blind:
    """The collector for one file."""
    return MiddlewareCollector(parsed) if is_about_any(parsed.content) else Blind()
