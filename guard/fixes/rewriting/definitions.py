"""Definitions that are taken out, since what they define is imported from where it is defined too."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from typing import Final

from guard.fixes.rewriting.exports import importing
from guard.fixes.rewriting.imports import moved_to, place_of
from guard.fixes.rewriting.source import CannotEdit, Edit, Source
from guard.fixes.rewriting.statement import Taken
from guard.model import Finding

_BLANK: Final = re.compile(r"(?:[ \t\f]*(?:\r\n|\n|\r))*")


def mend_definitions(source: Source, findings: Sequence[Finding]) -> Iterator[Edit]:
    """The edits that take out the definitions of findings and import their names. A finding's `moved_to` says from
    where, as `MODULE:NAME`. Raises CannotEdit."""
    defined = {
        (node.name, node.lineno): node
        for node in source.tree.body
        if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
    }
    imported: dict[str, list[Taken]] = {}
    for finding in findings:
        name = finding.symbol
        node, target = defined.get((name, finding.span.line)), moved_to(finding).get(name)
        if node is None or target is None:
            raise CannotEdit("the definition is not where it was found")
        place = place_of(target)
        imported.setdefault(place.module, []).append(Taken(place.name, name if place.name != name else ""))
        yield _without(source, node)
    yield importing(source, imported, {})


def _without(source: Source, node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> Edit:
    """Take out a definition with its decorators, the comments right above it, and the blank lines behind it."""
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    start, end = source.at(first, 0), source.span(node)[1]
    rest = source.behind(end).strip()
    if source.before(start).strip() or (rest and not rest.startswith("#")):
        raise CannotEdit("something else stands in the definition's lines")
    while first > 1 and source.behind(source.at(first - 1, 0)).lstrip().startswith("#"):
        first -= 1
    found = _BLANK.match(source.text, end + len(source.behind(end)))
    end = found.end() if found is not None else end
    return Edit(source.at(first, 0), end, "")
