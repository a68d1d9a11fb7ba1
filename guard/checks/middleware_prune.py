"""What is left of a file's set-up code: the functions that do something, and their calls of one another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from guard.checks.middleware_facts import (
    Arm,
    Attr,
    Branch,
    Call,
    Def,
    Do,
    Expr,
    Free,
    Function,
    Let,
    Loop,
    Named,
    Op,
    Return,
    Super,
    Unknown,
    Var,
)
from guard.checks.middleware_names import MAKES


def prune(functions: Sequence[Function], classes: Mapping[str, Sequence[str]]) -> tuple[Function, ...]:
    """The functions that do something, without their calls of functions of the same file that do nothing.

    `classes` holds the method names of each class.
    """
    alive = {function.name for function in functions if _acts(function.body, frozenset(), "", classes)}
    while True:
        known = frozenset(alive)
        more = {
            function.name
            for function in functions
            if function.name not in known and _acts(function.body, known, _owner(function.name), classes)
        }
        if not more:
            break
        alive |= more
    kept = []
    for function in functions:
        if function.name in alive:
            body = _pruned(function.body, known, _owner(function.name), classes)
            kept.append(msgspec.structs.replace(function, body=body))
    return tuple(kept)


def _owner(name: str) -> str:
    return name.rpartition(".")[0]


def _acts(body: Iterable[Op], alive: frozenset[str], owner: str, classes: Mapping[str, Sequence[str]]) -> bool:
    for op in body:
        if isinstance(op, Branch):
            if any(_acts(arm.body, alive, owner, classes) for arm in op.arms):
                return True
        elif isinstance(op, Loop):
            if _acts(op.body, alive, owner, classes):
                return True
        elif isinstance(op, Return):
            if not isinstance(op.value, Unknown):
                return True
        elif isinstance(op, Let) or (
            isinstance(op, Do) and not _is_idle(op.value, alive, owner, classes) and not _is_plain_super(op.value)
        ):
            return True
    return False


def _is_plain_super(value: Expr) -> bool:
    """`super().method()` with nothing that matters handed on: worth following only in a function that does more."""
    if not (isinstance(value, Call) and isinstance(value.func, Attr) and isinstance(value.func.base, Super)):
        return False
    return not value.keywords and all(isinstance(arg, Unknown) for arg in value.args)


def _is_idle(value: Expr, alive: frozenset[str], owner: str, classes: Mapping[str, Sequence[str]]) -> bool:
    """Whether it is a call without arguments of a function of this file, or of an own method, that does nothing."""
    if isinstance(value, Def):  # the body of a class
        return value.name not in alive
    if isinstance(value, Named):
        return False
    if not isinstance(value, Call):
        return True
    if any(not isinstance(arg, Unknown) for arg in value.args) or value.keywords:
        return False
    func = value.func
    if isinstance(func, Def):
        return func.name not in alive
    if isinstance(func, Free) and func.ref.is_local:
        name = func.ref.name
        return name not in alive and f"{name}.__init__" not in alive
    if isinstance(func, Attr) and isinstance(func.base, Var) and func.base.name in ("self", "cls"):
        if func.name in classes.get(owner, ()):
            return f"{owner}.{func.name}" not in alive
        return not MAKES.search(func.name)
    return False


def _pruned(
    body: Iterable[Op], alive: frozenset[str], owner: str, classes: Mapping[str, Sequence[str]]
) -> tuple[Op, ...]:
    kept: list[Op] = []
    for op in body:
        if isinstance(op, Branch):
            arms = tuple(Arm(arm.when, _pruned(arm.body, alive, owner, classes)) for arm in op.arms)
            if any(arm.body for arm in arms):
                kept.append(Branch(op.key, op.line, arms))
        elif isinstance(op, Loop):
            inner = _pruned(op.body, alive, owner, classes)
            if inner:
                kept.append(Loop(op.targets, op.source, op.line, inner))
        elif not (isinstance(op, Do) and _is_idle(op.value, alive, owner, classes)):
            kept.append(op)
    return tuple(kept)
