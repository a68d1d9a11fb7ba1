"""Where the way that led to a layer ends today: from call to call, through the functions of the later tree."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec

from guard.checks.middleware_compare import LayerChange
from guard.checks.middleware_view import Spot
from guard.parse import parse

AnyFunction = ast.FunctionDef | ast.AsyncFunctionDef


class TrailEnd(msgspec.Struct, frozen=True):
    """The last function that is still there on the way to a layer, and does not lead on."""

    spot: Spot
    """Its definition, in the later tree."""
    next: str
    """The function that it called, as code names it; empty where it was the one that added the layer."""


class Code:
    """The files of the later tree, each parsed once."""

    def __init__(self, read: Callable[[str], str]) -> None:
        self._read = read
        self._trees: dict[str, ast.Module | None] = {}

    def tree(self, path: str) -> ast.Module | None:
        """The syntax tree of a file; None where nothing can be made of it."""
        if path not in self._trees:
            self._trees[path] = parse(self._read(path).encode("utf-8", "replace"), "python").tree
        return self._trees[path]


def trail_end(layer: LayerChange, moved: Mapping[str, str], code: Code) -> TrailEnd | None:
    """Where the way to a layer that is gone breaks off, in the later tree.

    `moved` gives the earlier path of a file that was moved. None where that is in no function, or where all of the way
    seems to be there.
    """
    if layer.before is None:
        return None
    later = {earlier: path for path, earlier in moved.items()}
    steps = [
        Spot(later.get(spot.path, spot.path), spot.line, spot.symbol) for spot in (*layer.way_before, layer.before)
    ]
    for number, step in enumerate(steps):
        tree = code.tree(step.path)
        scope = _defined(tree, step.symbol) if tree is not None else None
        if tree is None or scope is None:
            return None
        behind = steps[number + 1] if number + 1 < len(steps) else None
        if behind is not None and (behind.path, behind.symbol) == (step.path, step.symbol):
            continue
        name = _spoken(behind.symbol) if behind is not None else layer.name
        if _names(scope, tree, name):
            continue
        if isinstance(scope, ast.Module):
            return None
        return TrailEnd(Spot(step.path, scope.lineno, step.symbol), name if behind is not None else "")
    return None


def _spoken(symbol: str) -> str:
    """What code calls a function by: its own name, that of its class for a constructor or the body of a class."""
    *around, last = (part.partition("@")[0] for part in symbol.split("."))
    return around[-1] if last in ("", "__init__") and around else last


def _defined(tree: ast.Module, symbol: str) -> ast.Module | AnyFunction | ast.ClassDef | None:
    """The function or class of a qualified name; the module for the empty one."""
    found: ast.Module | AnyFunction | ast.ClassDef | None = tree
    for part in symbol.rstrip(".").split(".") if symbol else ():
        name = part.partition("@")[0]
        found = next((one for one in _definitions(found) if one.name == name), None) if found is not None else None
    return found


def _definitions(scope: ast.AST) -> Iterator[AnyFunction | ast.ClassDef]:
    """What is defined in a scope itself, in its blocks too."""
    waiting = list(ast.iter_child_nodes(scope))[::-1]
    while waiting:
        node = waiting.pop()
        if isinstance(node, AnyFunction | ast.ClassDef):
            yield node
        elif not isinstance(node, ast.expr):
            waiting.extend(list(ast.iter_child_nodes(node))[::-1])


def _names(scope: ast.Module | AnyFunction | ast.ClassDef, tree: ast.Module, name: str) -> bool:
    """Whether the code of a scope speaks of something, also by another name that the module imports it as, or by a
    variable of the module that holds it."""
    body: Sequence[ast.AST] = scope.body
    if isinstance(scope, ast.Module):
        body = [node for node in scope.body if not isinstance(node, AnyFunction)]
    held = {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }
    wanted = {name} | {
        alias.asname
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
        if alias.asname is not None and alias.name.rpartition(".")[2] == name
    }
    waiting = list(body)
    seen: set[str] = set()
    while waiting:
        for node in ast.walk(waiting.pop()):
            said = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
            if said in wanted:
                return True
            if isinstance(node, ast.Name) and said in held and said not in seen:
                seen.add(said)
                waiting.append(held[said])
    return False
