"""Every application of a program with its stack: which code to execute for that, and what comes of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from guard.checks.middleware_facts import Attr, Branch, Call, Def, Expr, Free, Function, Items, Loop, Named, Op, Super
from guard.checks.middleware_run import Run
from guard.checks.middleware_sources import Sources
from guard.checks.middleware_stack import ClassAt, Stack
from guard.checks.middleware_values import Application, Instance, Several, Value
from guard.checks.modules import Definition

_DEEPEST_MOUNT: Final = 6


Bound = tuple[str, str]
"""A module, by its path, and the variable of it that holds an application."""


def stacks(sources: Sources) -> Mapping[Stack, tuple[Bound, ...]]:
    """Every stack, in the order of the files, with the variables that hold its application. Each module is a
    beginning, and each function that nobody calls.

    The same application is there once for each set of layers that it is given: a module that imports it and adds
    layers of its own makes another stack of it.
    """
    found: dict[Stack, dict[Bound, None]] = {}
    for run in _runs(sources):
        for stack, bound in _of_run(run):
            found.setdefault(stack, {}).update(dict.fromkeys(bound))
    whole = [stack for stack in found if not stack.handed]
    # What is handed to a function that is called after all says nothing new.
    whole += [stack for stack in found if stack.handed and (stack.nodes or stack.late)]
    return {stack: tuple(found[stack]) for stack in whole}


def _runs(sources: Sources) -> Iterator[Run]:
    """Every module first, then the functions that none of them has called and that no code calls by name."""
    called = set(_called(sources))
    for path in sources.facts:
        if sources.function(path, "") is not None:
            run = Run(sources)
            run.module(path)
            run.serve()
            called |= run.entered
            yield run
    for path in sources.facts:
        for name, function in sources.functions(path).items():
            if name and not name.endswith(".") and (path, name) not in called:
                begun = _begin(path, function, sources)
                if begun is not None:
                    begun.serve()
                    yield begun


def _begin(path: str, function: Function, sources: Sources) -> Run | None:
    """A run that begins with a function; None for one that never runs by itself."""
    run = Run(sources)
    at = ClassAt(path, function.name.rpartition(".")[0])
    if not at.name:
        run.function(path, function)
        return run
    if sources.cls(at) is None or sources.application_kind(at) is not None:
        return None  # a function in a function runs when its outer one calls it; an application is made by its class
    if function.name == f"{at.name}.__init__":
        _instance(run, path, at)
    elif function.binding == "instance":
        run.function(path, function, _instance(run, path, at))
    else:
        run.function(path, function, at if function.binding == "class" else None)
    return run


def _instance(run: Run, path: str, at: ClassAt) -> Instance:
    instance = Instance(at)
    init = run.sources.function(path, f"{at.name}.__init__")
    if init is not None:
        run.function(path, init, instance)
    return instance


def _of_run(run: Run) -> Iterator[tuple[Stack, list[Bound]]]:
    made: dict[Application, Stack] = {}
    if run.exhausted:
        return
    for app in run.applications:
        if app.framework.is_part(app.kind) and not app.mounted_in:
            continue
        yield _stack(app, run, made, 0), [(path, name) for path, name, value in run.variables() if _holds(value, app)]


def _holds(value: Value, app: Application) -> bool:
    if isinstance(value, Several):
        return any(_holds(option, app) for _, option in value.options)
    return value is app


def _stack(app: Application, run: Run, made: dict[Application, Stack], depth: int) -> Stack:
    known = made.get(app)
    if known is not None:
        return known

    outer: list[Stack] = []
    if depth < _DEEPEST_MOUNT:
        outer = [_stack(other, run, made, depth + 1) for other in app.mounted_in if other is not app]
    nodes, wraps = app.framework.stack(run.recorder, app)
    made[app] = stack = Stack(
        kind=app.kind,
        created=app.created,
        nodes=nodes,
        wraps=wraps,
        partial=tuple(app.partial),
        opaque=app.opaque,
        handed=app.handed,
        given_state=app.given_state,
        outer=tuple(outer),
        late=tuple(app.late),
        futile=tuple(app.futile),
        endpoints=tuple(app.endpoints),
        depends=app.depends,
    )
    return stack


# Who calls whom


def _called(sources: Sources) -> frozenset[tuple[str, str]]:
    """Every function that set-up code calls by name."""
    called: set[tuple[str, str]] = set()
    for path, facts in sources.facts.items():
        for function in facts.functions:
            for callee in _callees(function.body):
                called.update(_target(path, function, callee, sources))
    return frozenset(called)


def _target(path: str, function: Function, callee: Expr, sources: Sources) -> Iterator[tuple[str, str]]:
    if isinstance(callee, Def):
        yield path, callee.name
        yield path, f"{callee.name}.__init__"
    elif isinstance(callee, Free):
        found = sources.follow(path, callee.ref)
        if isinstance(found, Definition):
            yield found.path, found.name
            yield found.path, f"{found.name}.__init__"
    elif isinstance(callee, Attr):
        owner = function.name.rpartition(".")[0]
        if owner:
            cls = ClassAt(path, owner)
            at = sources.method(cls, callee.name, behind=cls if isinstance(callee.base, Super) else None)
            if at is not None:
                yield at.path, at.name


def _callees(body: Sequence[Op]) -> Iterator[Expr]:
    for op in body:
        if isinstance(op, Branch):
            for arm in op.arms:
                yield from _callees(arm.body)
        elif isinstance(op, Loop):
            yield from _callees_in(op.source)
            yield from _callees(op.body)
        elif hasattr(op, "value"):
            yield from _callees_in(op.value)


def _callees_in(expr: Expr) -> Iterator[Expr]:
    if isinstance(expr, Call):
        yield expr.func
        yield from _callees_in(expr.func)
        for arg in expr.args:
            yield from _callees_in(arg)
        for _, value in expr.keywords:
            yield from _callees_in(value)
    elif isinstance(expr, Attr):
        yield from _callees_in(expr.base)
    elif isinstance(expr, Items):  # functions in a list are there to be called
        yield from expr.items
    elif isinstance(expr, Named):
        yield from _callees_in(expr.value)
