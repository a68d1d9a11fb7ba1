"""Import statements that are changed to take their names from another place: which, how, and what has to follow."""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec

from guard.fixes.rewriting.source import CannotEdit, Edit, Placed, Source
from guard.fixes.rewriting.statement import (
    NotRewritable,
    Place,
    Statement,
    Taken,
    new_statement,
    pragmas,
)
from guard.fixes.rewriting.uses import Uses
from guard.model import Finding

_WIDTH: Final = 88
"""The longest line that is made, unless the file's imports have longer ones."""


class _Change:
    """One import statement that is to be changed."""

    def __init__(self, source: Source, placed: Placed) -> None:
        node = placed.node
        if not isinstance(node, ast.Import | ast.ImportFrom):
            raise CannotEdit("it is no import")
        self.placed = placed
        self.node = node
        self.start, self.end = source.span(node)
        try:
            self.statement = Statement(source.text[self.start : self.end])
        except NotRewritable as error:
            raise CannotEdit("its import cannot be taken apart") from error
        if self.statement.names != tuple(alias.name for alias in node.names):
            raise CannotEdit("its import cannot be told from the text around it")
        self.moves: dict[int, Place] = {}
        before, behind = source.before(self.start), source.behind(self.end).strip()
        if behind and behind[0] not in "#;":
            raise CannotEdit("something stands behind its import")
        self.indent = before
        self.inline = bool(before.strip()) or behind.startswith(";")
        """It shares its line with another statement."""
        self.comment = behind if behind.startswith("#") else ""

    @property
    def module(self) -> str:
        """The module that it takes names from in the end, as it is written; empty for `import a`."""
        if isinstance(self.node, ast.Import):
            return ""
        return written_module(self.node) if self.base is None else self.base

    @property
    def base(self) -> str | None:
        """The module that the statement itself is moved to: where all its names go elsewhere, most of them go there."""
        if isinstance(self.node, ast.Import) or len(self.moves) < len(self.node.names):
            return None
        modules = [place.module for _, place in sorted(self.moves.items())]
        return max(modules, key=lambda module: (bool(module), modules.count(module)))


class _New(msgspec.Struct):
    """A statement that is to be put behind another one."""

    change: _Change
    module: str
    names: list[Taken]


def written_module(node: ast.ImportFrom) -> str:
    """The module of an import as it is written, with its dots."""
    return "." * node.level + (node.module or "")


class _Plan:
    """All changes of one file's imports."""

    def __init__(self, source: Source, changes: Sequence[_Change], may_rename: frozenset[str]) -> None:
        self._source = source
        self._changes = {id(change.node): change for change in changes}
        self._may_rename = may_rename
        """Names that nobody outside of the file knows, so that their uses may be renamed."""
        self._renamed: set[str] = set()
        """Those whose uses are renamed, so that no `as` is needed."""
        self._new: list[_New] = []
        self._width = max([_WIDTH, *(_longest_line(source, placed.node) for placed in source.statements())])

    def edits(self) -> Iterator[Edit]:
        """The edits that make the changes. Raises CannotEdit."""
        yield from self._renaming()
        changes = sorted(self._changes.values(), key=lambda change: change.start)
        leaving = [(change, self._leave(change)) for change in changes]
        for change, groups in leaving:
            for module, names in groups.items():
                self._put(change, module, names)
        for change in self._changes.values():
            code = change.statement.code
            if code != self._source.text[change.start : change.end]:
                yield Edit(change.start, change.end, code)
        for change in changes:
            yield from self._insertions(change)

    def _renaming(self) -> list[Edit]:
        """The edits of uses: of modules that are imported by their dotted name, and of names that may be renamed."""
        uses = Uses(self._source)
        edits: list[Edit] = []
        for change in list(self._changes.values()):
            for index, place in change.moves.items():
                alias = change.node.names[index]
                if isinstance(change.node, ast.Import):
                    if alias.asname is None:
                        edits += uses.renamed_module(change.node, alias.name, place.dotted)
                elif alias.name != place.name and alias.asname is None and alias.name in self._may_rename:
                    with contextlib.suppress(CannotEdit):
                        edits += uses.renamed(change.node, alias.name, place.name)
                        self._renamed.add(alias.name)
        return edits

    def _leave(self, change: _Change) -> dict[str, list[Taken]]:
        """Change what stays in the statement; gives the names that leave it, by their new module."""
        base = change.base
        groups: dict[str, list[Taken]] = {}
        for index in sorted(change.moves, reverse=True):
            place = change.moves[index]
            alias = change.node.names[index]
            plain = isinstance(change.node, ast.Import)
            asname = self._asname(alias, place.name, plain=plain)
            change.statement.rename(index, place.dotted if plain else place.name, asname)
            if place.module != change.module and isinstance(change.node, ast.ImportFrom):
                groups.setdefault(place.module, []).insert(0, change.statement.remove(index))
        if base:
            change.statement.take_from(base)
        return groups

    def _asname(self, alias: ast.alias, name: str, *, plain: bool) -> str:
        """The `as` that is needed for a name to be bound as before."""
        bound = alias.asname or alias.name
        if (plain and alias.asname is None) or bound in self._renamed:
            return ""
        # `from a import X as X` says that it is a re-export.
        return bound if bound != name or (alias.asname == alias.name) else ""

    def _put(self, change: _Change, module: str, names: list[Taken]) -> None:
        """Put names that left a statement into another one of their new module, or into a new one behind it."""
        rest = [
            taken
            for taken in names
            if not any(self._joined(receiver, taken) for receiver in self._receivers(change, module))
        ]
        if not rest:
            return
        for new in self._new:
            if new.module == module and new.change.placed.suite is change.placed.suite and module:
                first, last = sorted((new.change.placed.index, change.placed.index))
                if all(map(_is_import, change.placed.suite[first:last])):
                    new.names += [taken for taken in rest if taken not in new.names]
                    return
        self._new.append(_New(change, module, rest))

    def _receivers(self, change: _Change, module: str) -> Iterator[_Change]:
        """The imports of a module that stand with the statement in one run of imports, the closest above it first."""
        suite, index = change.placed.suite, change.placed.index
        for numbers in (range(index - 1, -1, -1), range(index + 1, len(suite))):
            for number in numbers:
                node = suite[number]
                if not _is_import(node):
                    break
                if isinstance(node, ast.ImportFrom) and module:
                    known = self._changes.get(id(node))
                    if (known.module if known else written_module(node)) != module:
                        continue
                    try:
                        yield known or _Change(self._source, Placed(node, suite, number))
                    except CannotEdit:
                        continue

    def _joined(self, receiver: _Change, taken: Taken) -> bool:
        """Put a name into a statement that takes others from its module; False where that does not look right."""
        if receiver.statement.has(taken):
            return not taken.above and not taken.beside
        if receiver.inline and (taken.above or taken.beside):
            return False
        trial = receiver.statement.copy()
        try:
            trial.append(taken)
        except NotRewritable:
            return False
        lines = trial.code.splitlines()
        if len(self._source.before(receiver.start)) + len(lines[0]) > self._width or any(
            len(line) > self._width for line in lines
        ):
            return False
        receiver.statement = trial
        self._changes[id(receiver.node)] = receiver
        return True

    def _insertions(self, change: _Change) -> Iterator[Edit]:
        """The new statements behind one, in one edit."""
        source = self._source
        new = [one for one in self._new if one.change is change]
        if not new:
            return
        if change.inline:
            if any(taken.above or taken.beside for one in new for taken in one.names):
                raise CannotEdit("its import shares a line and has comments")
            text = "".join(f"; {new_statement(one.module, one.names, '', ' ', 10**6)}" for one in new)
            yield Edit(change.end, change.end, text)
            return
        at = change.end + len(source.behind(change.end))
        pragma = pragmas(change.comment)
        text = ""
        for one in new:
            statement = new_statement(one.module, one.names, change.indent, source.newline, self._width)
            has_one = any(pragmas(taken.beside) for taken in one.names) and len(one.names) == 1
            comment = f"  {pragma}" if pragma and not has_one else ""
            text += f"{source.newline}{change.indent}{statement}{comment}"
        yield Edit(at, at, text)


def _is_import(node: ast.stmt) -> bool:
    return isinstance(node, ast.Import | ast.ImportFrom)


def _longest_line(source: Source, node: ast.stmt) -> int:
    if not _is_import(node) or node.lineno != node.end_lineno:
        return 0
    start, end = source.span(node)
    return len(source.before(start)) + end - start


def mend_imports(source: Source, findings: Sequence[Finding]) -> list[Edit]:
    """The edits that take the imports at fault from where their names are today. Raises CannotEdit."""
    by_line: dict[int, list[Placed]] = {}
    for placed in source.statements():
        if _is_import(placed.node):
            for line in range(placed.node.lineno, (placed.node.end_lineno or placed.node.lineno) + 1):
                by_line.setdefault(line, []).append(placed)
    changes: dict[int, _Change] = {}
    for finding in findings:
        moved = moved_to(finding)
        found = False
        for placed in by_line.get(finding.span.line, ()):
            wanted = _moves(placed.node, finding, moved)
            if wanted:
                found = True
                change = changes.get(id(placed.node)) or _Change(source, placed)
                changes[id(placed.node)] = change
                change.moves.update(wanted)
        if not found:
            raise CannotEdit("its import is not where it was found")
    may_rename = {str(finding.data.get("name")) for finding in findings if finding.data.get("private") is True}
    return list(_Plan(source, list(changes.values()), frozenset(may_rename)).edits())


def moved_to(finding: Finding) -> Mapping[str, str]:
    """Where the names of a finding went, as its data say."""
    found = finding.data.get("moved_to")
    return {str(key): str(value) for key, value in found.items()} if isinstance(found, Mapping) else {}


def _moves(node: ast.stmt, finding: Finding, moved: Mapping[str, str]) -> dict[int, Place]:
    """What a finding says of a statement: the new place of each of its names that moved, by index."""
    module, name = finding.data.get("module"), finding.data.get("name")
    moves: dict[int, Place] = {}
    if isinstance(node, ast.Import):
        for index, alias in enumerate(node.names):
            if alias.name == module and alias.name in moved:
                moves[index] = place_of(moved[alias.name])
    elif isinstance(node, ast.ImportFrom) and written_module(node) == module:
        for index, alias in enumerate(node.names):
            if alias.name in moved and name in ("", alias.name):
                moves[index] = place_of(moved[alias.name])
        if not name and len(moves) < len(node.names):
            raise CannotEdit("where some of its names went is not known")
    return moves


def place_of(target: str) -> Place:
    """`MODULE:NAME` as a place; a module alone is imported from what is above it, or as it is where nothing is."""
    module, colon, name = target.partition(":")
    if colon:
        return Place(module, name)
    bare = module.lstrip(".")
    above, _, last = bare.rpartition(".")
    return Place(module[: len(module) - len(bare)] + above, last)
