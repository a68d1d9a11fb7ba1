"""Entries of `__all__` that name nothing: what they name is imported, or they are renamed, or they go."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from guard.fixes.rewriting.imports import moved_to, place_of
from guard.fixes.rewriting.source import CannotEdit, Edit, Source
from guard.fixes.rewriting.statement import Taken, new_statement
from guard.fixes.rewriting.uses import exports_of, string_edit
from guard.model import Finding

WIDTH: Final = 88


def mend_exports(source: Source, findings: Sequence[Finding]) -> Iterator[Edit]:
    """The edits that make `__all__` true. A finding's `moved_to` says what its entry becomes: `MODULE:NAME` is
    imported, another name is written instead, an empty one is taken out. Raises CannotEdit."""
    entries: dict[str, list[ast.Constant]] = {}
    for entry in exports_of(source.tree):
        entries.setdefault(str(entry.value), []).append(entry)
    imported: dict[str, list[Taken]] = {}
    gone = []
    for finding in findings:
        name = str(finding.data.get("name"))
        found = entries.get(name)
        target = moved_to(finding).get(name)
        if found is None or target is None:
            raise CannotEdit("its entry is not where it was found")
        if ":" in target:
            place = place_of(target)
            taken = Taken(place.name, name if place.name != name else "")
            if taken not in imported.setdefault(place.module, []):
                imported[place.module].append(taken)
        elif target:
            yield from (string_edit(source, entry, name, target) for entry in found)
        else:
            gone += found
    yield from _without(source, gone)
    if imported:
        yield importing(source, imported, {})


def importing(source: Source, imported: Mapping[str, Sequence[Taken]], comments: Mapping[str, str]) -> Edit:
    """The edit that puts imports behind the ones at the top of the file, each with its comment behind it, if it has
    one. Raises CannotEdit."""
    lines = [
        new_statement(module, sorted(names, key=lambda taken: taken.name), "", source.newline, WIDTH)
        + comments.get(module, "")
        for module, names in sorted(imported.items())
    ]
    body = source.tree.body
    last = 0
    while last < len(body) and (_is_docstring(body[last], last) or isinstance(body[last], ast.Import | ast.ImportFrom)):
        last += 1
    if not last:
        at = source.span(body[0])[0] if body else 0
        if source.before(at).strip():
            raise CannotEdit("there is no place for an import")
        return Edit(at, at, "".join(f"{line}{source.newline}" for line in lines))
    _, end = source.span(body[last - 1])
    behind = source.behind(end)
    if behind.strip() and not behind.strip().startswith("#"):
        raise CannotEdit("the last of its imports shares a line")
    at = end + len(behind)
    gap = source.newline if _is_docstring(body[last - 1], last - 1) else ""
    return Edit(at, at, gap + "".join(f"{source.newline}{line}" for line in lines))


def exporting(source: Source, names: Sequence[str]) -> Edit | None:
    """The edit that adds names to a literal `__all__`; None where the file has none."""
    holders = [
        node.value
        for node in source.tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign)
        and any(
            isinstance(target, ast.Name) and target.id == "__all__"
            for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        )
        and isinstance(node.value, ast.List | ast.Tuple)
    ]
    if not holders:
        return None
    holder = holders[-1]
    assert isinstance(holder, ast.List | ast.Tuple)
    if not holder.elts:
        start, _ = source.span(holder)
        return Edit(
            start + 1, start + 1, ", ".join(map(_quoted, names)) + ("," if isinstance(holder, ast.Tuple) else "")
        )
    start, end = source.span(holder.elts[-1])
    indent = source.before(start)
    quote = "'" if source.text[end - 1] == "'" else '"'
    separator = f",{source.newline}{indent}" if not indent.strip() else ", "
    return Edit(end, end, "".join(f"{separator}{quote}{name}{quote}" for name in names))


def _quoted(name: str) -> str:
    return f'"{name}"'


def _is_docstring(node: ast.stmt, index: int) -> bool:
    value = node.value if isinstance(node, ast.Expr) else None
    return index == 0 and isinstance(value, ast.Constant) and isinstance(value.value, str)


def _without(source: Source, entries: Sequence[ast.Constant]) -> Iterator[Edit]:
    """The edits that take entries out of the lists and tuples that they stand in, with the comments behind them."""
    gone = {id(entry) for entry in entries}
    seen = 0
    for holder in ast.walk(source.tree):
        if isinstance(holder, ast.List | ast.Tuple | ast.Set) and any(id(one) in gone for one in holder.elts):
            seen += sum(id(one) in gone for one in holder.elts)
            yield from _thinned(source, holder, gone)
    if seen != len(gone):
        raise CannotEdit("its entry stands in no list")


def _thinned(source: Source, holder: ast.List | ast.Tuple | ast.Set, gone: set[int]) -> Iterator[Edit]:
    kept = [number for number, element in enumerate(holder.elts) if id(element) not in gone]
    last = kept[-1] if kept else -1
    tail = holder.elts[last + 1 :]
    for number, element in enumerate(holder.elts[: last + 1]):
        if id(element) in gone:
            start = source.span(element)[0]
            yield _own_line(source, element) or Edit(start, source.span(holder.elts[number + 1])[0], "")
    lines = [_own_line(source, element) for element in tail]
    if all(lines):
        yield from (line for line in lines if line is not None)
    elif tail:
        end = source.span(tail[-1])[1]
        start = source.span(holder.elts[last])[1] if kept else source.span(tail[0])[0]
        comma = re.compile(r"[ \t]*,").match(source.text, start if kept else end)
        if kept and comma is None:
            raise CannotEdit("its entry does not simply follow another one")
        behind = re.compile(r"[ \t]*,").match(source.text, end)
        if kept and comma is not None and behind is None and isinstance(holder, ast.Tuple) and len(kept) == 1:
            start = comma.end()  # a tuple of one needs its comma
        yield Edit(start, behind.end() if behind and not kept else end, "")


def _own_line(source: Source, element: ast.expr) -> Edit | None:
    """The edit that deletes the line of an entry that stands alone on it; None for one that does not."""
    start, end = source.span(element)
    behind = source.behind(end)
    if source.before(start).strip() or not re.fullmatch(r"[ \t]*,?[ \t]*(#.*)?", behind):
        return None
    ending = re.compile(r"\r\n|\r|\n|").match(source.text, end + len(behind))
    return Edit(start - len(source.before(start)), ending.end() if ending else end, "")
