"""The fix for SYN002: late `__future__` imports move to the beginning of the file."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Mapping, Sequence
from typing import Final

from guard.fixes import Fixer, Refused
from guard.model import Finding
from guard.parse import declared_encoding, decode

_BREAK: Final = re.compile(r"(?<=\n)|(?<=\r)(?!\n)")


def move_future_imports(content: bytes, findings: Sequence[Finding]) -> bytes | Refused:
    """The file with its late `__future__` imports behind the docstring, each feature imported once.

    Refused where an import shares a line with other code or stands inside a block, or where the running Python
    cannot parse the file.
    """
    try:
        encoding = declared_encoding(content)
        text = decode(content)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except (SyntaxError, ValueError, LookupError, RecursionError, MemoryError):
        return Refused("it cannot be parsed")
    wanted = {finding.span.line for finding in findings}
    late = [node for node in tree.body if _is_future(node) and node.lineno in wanted]
    if {node.lineno for node in late} != wanted or any(_shares_lines(node, tree) for node in late):
        return Refused("the import shares its line, or stands in a block")
    lines = _BREAK.split(text)
    place = _place(tree)
    present = {name for node in tree.body if _is_future(node) and node not in late for name in _features(node)}
    ending = "\r\n" if "\r\n" in text else "\n"
    moved: list[str] = []
    for node in late:
        if not set(_features(node)) <= present:
            moved += _ended(lines[node.lineno - 1 : node.end_lineno], ending)
        present.update(_features(node))
    gone = {line for node in late for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)}
    kept = [(number, line) for number, line in enumerate(lines, 1) if number not in gone]
    above = [line for number, line in kept if number <= place]
    below = [line for number, line in kept if number > place]
    if moved and not _follows_future(tree, place):
        moved = [*([ending] if above and above[-1].strip() else []), *moved]
        if below and below[0].strip():
            moved.append(ending)
    if moved and above:
        above = _ended(above, ending)
    return "".join((*above, *moved, *below)).encode(encoding)


def _is_future(node: ast.stmt) -> bool:
    return isinstance(node, ast.ImportFrom) and node.module == "__future__" and node.level == 0


def _features(node: ast.stmt) -> list[str]:
    return [f"{alias.name} as {alias.asname}" for alias in node.names] if isinstance(node, ast.ImportFrom) else []


def _shares_lines(node: ast.stmt, tree: ast.Module) -> bool:
    last = node.end_lineno or node.lineno
    return any(
        other is not node and other.lineno <= last and (other.end_lineno or other.lineno) >= node.lineno
        for other in tree.body
    )


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _place(tree: ast.Module) -> int:
    """The line behind which the imports belong: the last of the docstring and of the imports that stand right."""
    place, docstring = 0, True
    for node in tree.body:
        if not (_is_future(node) or (docstring and _is_docstring(node))):
            # Without a docstring they go right above the first statement, so that comments stay at the top.
            first = min([node.lineno, *(part.lineno for part in getattr(node, "decorator_list", []))])
            return place or first - 1
        place, docstring = node.end_lineno or node.lineno, False
    return place


def _follows_future(tree: ast.Module, place: int) -> bool:
    return any(_is_future(node) and node.end_lineno == place for node in tree.body)


def _ended(lines: Sequence[str], ending: str) -> list[str]:
    """The lines, the last with a line break at its end."""
    last = lines[-1]
    return [*lines[:-1], last if last.endswith(("\n", "\r")) else last + ending]


FIXES: Final[Mapping[str, Fixer]] = {"SYN002": move_future_imports}
