"""The folders that a file puts on `sys.path`, where its text says which: literals and `__file__` arithmetic."""

from __future__ import annotations

import ast

from guard.checks.module_facts import SysPath
from guard.scopes import Scope, dotted


def folder_of(node: ast.expr, module: Scope, depth: int = 0) -> SysPath | None:
    """The folder that an expression made of literals and `__file__` stands for; None where it cannot be known."""
    if depth > 12:
        return None
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return SysPath(-1, node.value)
    if isinstance(node, ast.Name):
        if node.id == "__file__":
            return SysPath(0, "")
        bindings = module.bindings.get(node.id, [])
        if len(bindings) == 1 and bindings[0].value is not None:
            return folder_of(bindings[0].value, module, depth + 1)
        return None
    if isinstance(node, ast.Attribute):
        if node.attr == "parent":
            return _up(folder_of(node.value, module, depth + 1))
        return None
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Attribute) and node.value.attr == "parents":
        index = node.slice
        if isinstance(index, ast.Constant) and isinstance(index.value, int):
            found = folder_of(node.value.value, module, depth + 1)
            for _ in range(min(index.value, 30) + 1):
                found = _up(found)
            return found
        return None
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        return _down(folder_of(node.left, module, depth + 1), [node.right])
    if isinstance(node, ast.Call):
        name = dotted(node.func)
        last = name.rpartition(".")[2]
        if last == "dirname" and node.args:
            return _up(folder_of(node.args[0], module, depth + 1))
        if last in ("Path", "PurePath", "abspath", "realpath", "normpath", "str", "fspath", "as_posix") and node.args:
            return _down(folder_of(node.args[0], module, depth + 1), node.args[1:])
        if last == "join" and node.args and name.startswith(("os.path", "path", "osp", "posixpath")):
            return _down(folder_of(node.args[0], module, depth + 1), node.args[1:])
        if isinstance(node.func, ast.Attribute) and not node.args:
            if node.func.attr in ("resolve", "absolute", "as_posix", "expanduser"):
                return folder_of(node.func.value, module, depth + 1)
            if name in ("Path.cwd", "os.getcwd", "pathlib.Path.cwd"):
                return SysPath(-1, ".")
        if isinstance(node.func, ast.Attribute) and node.func.attr == "joinpath":
            return _down(folder_of(node.func.value, module, depth + 1), node.args)
    return None


def _up(found: SysPath | None) -> SysPath | None:
    if found is None:
        return None
    if found.rest:
        return SysPath(found.up, found.rest.rstrip("/").rpartition("/")[0])
    return SysPath(found.up + 1, "") if found.up >= 0 else None


def _down(found: SysPath | None, parts: list[ast.expr]) -> SysPath | None:
    for part in parts:
        if found is None or not (isinstance(part, ast.Constant) and isinstance(part.value, str)):
            return None
        for step in part.value.split("/"):
            if step == "..":
                found = _up(found)
            elif step and step != "." and found is not None:
                found = SysPath(found.up, f"{found.rest}/{step}" if found.rest else step)
    return found
