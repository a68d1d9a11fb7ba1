"""Modules whose names something else than a statement may bind, so that none of them is known to be undefined."""

from __future__ import annotations

import ast
import re
from typing import Final

from guard.scopes import dotted

_SHOWN_TO_SEMGREP: Final = re.compile(rb"^[ \t]*#[ \t]*ruleid:[ \t]*[\w.-]+", re.MULTILINE)
_ZOPE: Final = re.compile(
    rb"(?:[ \t]*(?:#[^#\n][^\n]*)?\r?\n){0,20}##(?:[ ]Script[ ]\(Python\)|bind[ ]\w+=|parameters=)"
)
NAMESPACES: Final = (b"globals(", b"locals(", b"vars(", b"dir(")
"""What gives a module's names as a mapping, or a list."""
_MAY_BE_OPEN: Final = re.compile(
    rb"\b(?:globals|vars|locals)\s*\(|(?<![.\w])exec(?:file)?\s*\(|\bsys\.modules\s*\[\s*__name__"
)
_OPEN_MARKS: Final = (*NAMESPACES, b"exec(", b"execfile(", b"sys.modules[")
_OWN_MODULE: Final = ("sys.modules", "__name__")
_READS: Final = frozenset({"get", "keys", "values", "items", "copy"})
_READERS: Final = frozenset(
    {"dict", "set", "list", "sorted", "len", "eval", "get_type_hints", "isinstance", "print", "repr", "any", "all"}
)


def is_zope_script(content: bytes) -> bool:
    """Whether the head of a file says that it is a "Script (Python)", as Zope and CMF have them in their skins."""
    return _ZOPE.match(content) is not None


def is_open(content: bytes, tree: ast.Module) -> bool:
    """Whether something else than a statement may bind names of the module: `exec`, or a write through `globals()`.

    A module with a set in a set, which no Python can make, is a template: `{{ name }}` is filled in before it runs.
    What shows semgrep what its rules are to find is never run, and Zope makes a function of its scripts.
    """
    if _SHOWN_TO_SEMGREP.search(content) or is_zope_script(content):
        return True
    if b"{{" in content and any(_is_placeholder(node) for node in ast.walk(tree)):
        return True
    if not any(mark in content for mark in _OPEN_MARKS) or not _MAY_BE_OPEN.search(content):
        return False
    for node in ast.walk(tree):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Call) and _opens(child, node):
                return True
            if isinstance(child, ast.Subscript) and (dotted(child.value), dotted(child.slice)) == _OWN_MODULE:
                return True
    return False


def _is_placeholder(node: ast.AST) -> bool:
    return isinstance(node, ast.Set) and len(node.elts) == 1 and isinstance(node.elts[0], ast.Set)


def _opens(call: ast.Call, parent: ast.AST) -> bool:
    name = dotted(call.func)
    if name in ("exec", "execfile"):
        return len(call.args) < 2
    if name not in ("globals", "vars", "locals") or call.args:
        return False
    if isinstance(parent, ast.Subscript):
        return not isinstance(parent.ctx, ast.Load)
    if isinstance(parent, ast.Attribute):
        return parent.attr not in _READS
    if isinstance(parent, ast.Call):
        return name == "globals" and dotted(parent.func).rpartition(".")[2] not in _READERS
    reads = (ast.Compare, ast.keyword, ast.Dict, ast.For, ast.comprehension)
    return name == "globals" and not isinstance(parent, reads)
