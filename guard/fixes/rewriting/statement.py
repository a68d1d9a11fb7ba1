"""One import statement, rewritten with libcst: names taken out, put in, and taken from elsewhere.

Everything here works on the text of the statement alone, from its first keyword to its end, so that nothing around it
can change. Comments inside the parentheses go where the name goes that they stand beside.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from typing import Final

import libcst as cst
import msgspec

PRAGMA: Final = re.compile(
    r"#\s*(noqa|type:|pylint:|pyright:|mypy:|ruff:|pragma:|nosec|isort:|fmt:|yapf:)", re.IGNORECASE
)
"""Comments that tools read: what stands on their line needs them, wherever it goes."""


class Place(msgspec.Struct, frozen=True):
    """Where a name is taken from, as an import writes it: `module` with its dots; empty for `import name`."""

    module: str
    name: str

    @property
    def dotted(self) -> str:
        """The name of the module that it is, if it is one."""
        return f"{self.module}.{self.name}" if self.module.strip(".") else self.module + self.name


class Taken(msgspec.Struct, frozen=True):
    """One name of an import statement."""

    name: str
    asname: str = ""
    above: tuple[str, ...] = ()
    """Comments on lines of their own that go with it."""
    beside: str = ""
    """The comment behind it."""

    @property
    def written(self) -> str:
        """The name as it stands in the statement."""
        return f"{self.name} as {self.asname}" if self.asname else self.name


class NotRewritable(Exception):
    """The statement is not one that this module knows how to take apart."""


class Statement:
    """A `from … import …` or `import …` statement that is being rewritten."""

    def __init__(self, source: str) -> None:
        try:
            self._module = cst.parse_module(source)
        except (cst.ParserSyntaxError, ValueError) as error:
            raise NotRewritable from error
        body = self._module.body
        line = body[0] if len(body) == 1 else None
        node = line.body[0] if isinstance(line, cst.SimpleStatementLine) and len(line.body) == 1 else None
        if self._module.code != source or not isinstance(node, cst.Import | cst.ImportFrom):
            raise NotRewritable
        if isinstance(node.names, cst.ImportStar):
            raise NotRewritable
        self._node = node
        self._names = list(node.names)
        self._gaps = _gaps(node, self._names)

    @property
    def code(self) -> str:
        """The statement as it stands now."""
        node = _with_names(self._node, self._names, self._gaps)
        return self._module.code_for_node(node)

    @property
    def names(self) -> tuple[str, ...]:
        """The names that it takes, dotted for `import a.b`."""
        return tuple(_dotted(alias.name) for alias in self._names)

    def copy(self) -> Statement:
        """A statement that is changed without this one."""
        other = copy.copy(self)
        other._names, other._gaps = list(self._names), list(self._gaps)
        return other

    def has(self, taken: Taken) -> bool:
        """Whether the statement takes and binds this name already."""
        return any(_dotted(alias.name) == taken.name and _asname(alias) == taken.asname for alias in self._names)

    @property
    def one_per_line(self) -> bool:
        """Whether the names stand in parentheses, each on a line of its own."""
        return bool(self._names) and all(_breaks(gap) for gap in self._gaps)

    def take_from(self, module: str) -> None:
        """Take the names from `module`, written with its dots."""
        if not isinstance(self._node, cst.ImportFrom):
            raise NotRewritable
        bare = module.lstrip(".")
        dots = len(module) - len(bare)
        after_from = self._node.whitespace_after_from
        self._node = self._node.with_changes(
            module=_expression(bare) if bare else None,
            relative=[cst.Dot() for _ in range(dots)],
            whitespace_after_from=cst.SimpleWhitespace(" ") if after_from.empty else after_from,
            whitespace_before_import=cst.SimpleWhitespace(" ")
            if self._node.whitespace_before_import.empty
            else self._node.whitespace_before_import,
        )

    def rename(self, index: int, name: str, asname: str) -> None:
        """Take another name at `index`, and bind it as `asname`; empty for no `as`."""
        alias = self._names[index]
        kept = alias.asname
        new = None
        if asname:
            new = (kept or cst.AsName(cst.Name(asname))).with_changes(name=cst.Name(asname))
        self._names[index] = alias.with_changes(name=_expression(name), asname=new)

    def remove(self, index: int) -> Taken:
        """Take out the name at `index`; gives it with the comments that go with it."""
        alias = self._names[index]
        before, after = self._gaps[index], self._gaps[index + 1]
        merged, above, beside = _merged(before, after, first=index == 0, last=index == len(self._names) - 1)
        if index and index == len(self._names) - 1:
            # What was the last name now is the one before: with a comma behind it where this one had one.
            previous = self._names[index - 1]
            self._names[index - 1] = previous.with_changes(comma=alias.comma)
        del self._names[index]
        self._gaps[index : index + 2] = [merged]
        return Taken(_dotted(alias.name), _asname(alias), above, beside)

    def append(self, taken: Taken) -> None:
        """Take one more name, at the end. Raises NotRewritable where its comments have no place."""
        alias = cst.ImportAlias(_expression(taken.name), cst.AsName(cst.Name(taken.asname)) if taken.asname else None)
        last = self._gaps[-1]
        if self.one_per_line and isinstance(last, cst.ParenthesizedWhitespace):
            between = self._gaps[-2]
            indent = between.last_line if isinstance(between, cst.ParenthesizedWhitespace) else last.last_line
            above = [_own_line(indent, comment) for comment in taken.above]
            gap: _Gap = last.with_changes(empty_lines=[*last.empty_lines, *above], last_line=indent)
            end: _Gap = last.with_changes(first_line=_line_end(taken.beside), empty_lines=[])
        elif taken.above or taken.beside:
            raise NotRewritable
        else:
            gap, end = cst.SimpleWhitespace(" "), last
        comma = self._names[-1].comma
        self._names[-1] = self._names[-1].with_changes(comma=cst.Comma())
        self._names.append(alias.with_changes(comma=comma))
        self._gaps[-1:] = [gap, end]


def new_statement(module: str, names: Sequence[Taken], indent: str, newline: str, width: int) -> str:
    """The text of a new statement, without the indentation and the line end of its first and last line.

    Own-line comments of a single name stand above the statement.
    """
    if not module:
        return "; ".join(f"import {taken.written}" for taken in names)
    flat = f"from {module} import {', '.join(taken.written for taken in names)}"
    comments = [taken.beside for taken in names if taken.beside]
    if len(names) == 1:
        lines = [*names[0].above, flat + "".join(f"  {comment}" for comment in comments)]
        return f"{newline}{indent}".join(lines)
    plain = not comments and not any(taken.above for taken in names)
    if plain and len(indent) + len(flat) <= width:
        return flat
    inner = indent + ("\t" if indent.endswith("\t") else "    ")
    lines = [f"from {module} import ("]
    for taken in names:
        lines += [f"{inner}{comment}" for comment in taken.above]
        lines.append(f"{inner}{taken.written}," + (f"  {taken.beside}" if taken.beside else ""))
    return newline.join([*lines, f"{indent})"])


def pragmas(comment: str) -> str:
    """The comment, where it is one that tools read and that holds for whatever stands on its line; else empty."""
    return comment if PRAGMA.match(comment) else ""


# Whitespace

_Gap = cst.BaseParenthesizableWhitespace


def _gaps(node: cst.Import | cst.ImportFrom, names: Sequence[cst.ImportAlias]) -> list[_Gap]:
    """What stands before, between and behind the names: one more than there are names."""
    if isinstance(node, cst.ImportFrom) and node.lpar is not None and node.rpar is not None:
        first: _Gap = node.lpar.whitespace_after
        last: _Gap = node.rpar.whitespace_before
        comma = names[-1].comma
        if isinstance(comma, cst.Comma) and not comma.whitespace_after.empty:
            last = comma.whitespace_after
    else:
        first = node.whitespace_after_import
        last = cst.SimpleWhitespace("")
    between = [
        alias.comma.whitespace_after if isinstance(alias.comma, cst.Comma) else cst.SimpleWhitespace(" ")
        for alias in names[:-1]
    ]
    return [first, *between, last]


def _with_names(
    node: cst.Import | cst.ImportFrom, names: Sequence[cst.ImportAlias], gaps: Sequence[_Gap]
) -> cst.Import | cst.ImportFrom:
    """The statement with these names, and this between them."""
    spaced = []
    for number, alias in enumerate(names):
        last = number == len(names) - 1
        comma = alias.comma
        if not isinstance(comma, cst.Comma):
            comma = cst.MaybeSentinel.DEFAULT if last else cst.Comma(whitespace_after=gaps[number + 1])
        else:
            after = cst.SimpleWhitespace("") if last else gaps[number + 1]
            comma = comma.with_changes(whitespace_after=after)
        spaced.append(alias.with_changes(comma=comma))
    if isinstance(node, cst.ImportFrom) and node.lpar is not None and node.rpar is not None:
        return node.with_changes(
            names=spaced,
            lpar=node.lpar.with_changes(whitespace_after=gaps[0]),
            rpar=node.rpar.with_changes(whitespace_before=gaps[-1]),
        )
    spaced[-1] = spaced[-1].with_changes(comma=cst.MaybeSentinel.DEFAULT)
    return node.with_changes(names=spaced, whitespace_after_import=gaps[0])


def _merged(before: _Gap, after: _Gap, *, first: bool, last: bool) -> tuple[_Gap, tuple[str, ...], str]:
    """What stands there once the name between two gaps is gone; its comments on their own lines, and behind it."""
    if not isinstance(after, cst.ParenthesizedWhitespace):
        if not last:
            return before, (), ""  # others follow on its line: `(\n    A, B,  # both\n)` without A
        if isinstance(before, cst.ParenthesizedWhitespace) and before.first_line.comment:
            # It ends the line of a comment that is not its own: `(A,  # why\n B)` without B.
            kept = before.with_changes(empty_lines=[], last_line=cst.SimpleWhitespace(""))
            return kept, _comments(before.empty_lines), ""
        return after, _comments(before.empty_lines) if isinstance(before, cst.ParenthesizedWhitespace) else (), ""
    beside = after.first_line.comment.value if after.first_line.comment else ""
    if not isinstance(before, cst.ParenthesizedWhitespace):
        if first and not any(line.comment for line in after.empty_lines) and not last:
            return before, (), beside
        stays = beside if not first and pragmas(beside) else ""
        return after.with_changes(first_line=_line_end(stays, after.first_line)), (), beside
    goes = last or bool(after.empty_lines)
    comments = _comments(before.empty_lines) if goes else ()
    lines = [*([] if comments else before.empty_lines), *after.empty_lines]
    while first and lines and not lines[0].comment:
        del lines[0]
    return after.with_changes(first_line=before.first_line, empty_lines=lines), comments, beside


def _comments(lines: Sequence[cst.EmptyLine]) -> tuple[str, ...]:
    return tuple(line.comment.value for line in lines if line.comment)


def _line_end(comment: str, like: cst.TrailingWhitespace | None = None) -> cst.TrailingWhitespace:
    """The end of a line inside parentheses, with a comment or without."""
    newline = like.newline if like is not None else cst.Newline()
    if not comment:
        return cst.TrailingWhitespace(newline=newline)
    return cst.TrailingWhitespace(cst.SimpleWhitespace("  "), cst.Comment(comment), newline)


def _own_line(indent: cst.SimpleWhitespace, comment: str) -> cst.EmptyLine:
    return cst.EmptyLine(indent=True, whitespace=indent, comment=cst.Comment(comment))


def _breaks(gap: _Gap) -> bool:
    return isinstance(gap, cst.ParenthesizedWhitespace)


# Names


def _expression(dotted: str) -> cst.Name | cst.Attribute:
    first, *rest = dotted.split(".")
    found: cst.Name | cst.Attribute = cst.Name(first)
    for part in rest:
        found = cst.Attribute(found, cst.Name(part))
    return found


def _dotted(node: cst.BaseExpression) -> str:
    if isinstance(node, cst.Name):
        return node.value
    if isinstance(node, cst.Attribute):
        return f"{_dotted(node.value)}.{node.attr.value}"
    raise NotRewritable


def _asname(alias: cst.ImportAlias) -> str:
    return alias.asname.name.value if alias.asname and isinstance(alias.asname.name, cst.Name) else ""
