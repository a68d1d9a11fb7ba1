"""Sees suppression comments: `# guard: ignore[IMP002] reason`.

In Python only real comments count; a string that holds the text does not. In other files the comment
marks of the file's type do: `#`, `//`, `;`, `--`, `<!-- -->`. What a comment reaches:

- At the end of a line: the findings that start on that line. On the first or last line of a statement that spans
  several: those that start anywhere in it. On a line between: also those in that statement that span the line.
- On a line of its own: the next statement (with the decorators above it); inside brackets, the next line.
- `ignore-file`, on a line of its own above the first statement (a docstring may stand before it): the file.

A reason ends where another comment begins, so that `# guard: ignore[X] why  # noqa` has the reason "why".
"""

from __future__ import annotations

import bisect
import codecs
import io
import re
import sys
import tokenize
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from guard.configuration.convert import printable
from guard.families import Family
from guard.parse import decode

if TYPE_CHECKING:
    from guard.program import Program

LINE: Final = "line"
FILE: Final = "file"
MISPLACED: Final = "misplaced"
"""An `ignore-file` where it reaches nothing."""


class Suppression(msgspec.Struct, frozen=True, array_like=True):
    """One comment. Lines and columns count from 1, columns in characters."""

    names: tuple[str, ...]
    """Codes, families and slugs as they are written; empty where the comment names none, or cannot be read."""
    reason: str
    reach: str
    """`line`, `file` or `misplaced`."""
    mark: str
    """What makes it a comment: `#`, `//`, `;`, `--` or `<!--`."""
    line: int
    column: int
    end_column: int
    """Behind the reason (behind `-->`): what follows on the line is another comment."""
    first: int = 0
    last: int = 0
    """The lines in which a finding has to start; 0 where the comment stands before nothing."""
    within: int = 0
    """A line that a finding has to span, too; 0 for any."""

    @property
    def written(self) -> str:
        """The comment without mark and reason, for a person: control characters are escaped."""
        word = "ignore" if self.reach == LINE else "ignore-file"
        return f"{word}[{printable(', '.join(self.names))}]" if self.names else word

    def covers(self, line: int, end_line: int) -> bool:
        """Whether a finding that spans these lines is one that the comment speaks of."""
        if self.reach != LINE:
            return self.reach == FILE
        if line == self.line:
            return True
        return self.first <= line <= self.last and (not self.within or line <= self.within <= max(end_line, line))


class Suppressions(msgspec.Struct, frozen=True, array_like=True):
    """The comments of one file, in the order of the file."""

    comments: tuple[Suppression, ...]


# What a comment says


_ANYWHERE: Final = re.compile(rb"guard:[ \t]*ignore")
_MARKED: Final = re.compile(r"(?:^|(?<=\s))(#|//|;|--|<!--)[ \t]*(?=guard:[ \t]*ignore)")
_NEXT_COMMENT: Final = re.compile(r"\s+#(?!\d)|\s+//|\s+<!--|\s*-->")
_CLOSING: Final = re.compile(r"\s*-->")
_DIRECTIVE: Final = re.compile(r"guard:[ \t]*ignore(-file)?\[([^\[\]]*)\](.*)", re.DOTALL)
_ALMOST: Final = re.compile(r"guard:[ \t]*ignore(-file)?(?:$|\[|[ \t:=]*[\[(]?[A-Z]{3,4}\d{3}\b)")
_LONGEST: Final = 1000
"""Characters of a comment that are looked at."""
_LONGEST_LINE: Final = 10_000
"""Bytes. Longer lines of files other than Python are a machine's, and hold no comments for guard."""


class _Said(NamedTuple):
    """A comment, before it is known what it reaches. Offsets are of the text that was searched."""

    mark: str
    names: tuple[str, ...]
    reason: str
    of_file: bool
    start: int
    end: int


def _read(text: str) -> Iterator[_Said]:
    """The suppressions in one comment, or one line. Prose that only begins like one is none."""
    for marked in _MARKED.finditer(text):
        body = text[marked.end() : marked.end() + _LONGEST]
        behind = _NEXT_COMMENT.search(body)
        body = body[: behind.start()] if behind else body.rstrip()
        end = marked.end() + len(body)
        if marked[1] == "<!--":
            closing = _CLOSING.match(text, end)
            if closing is None:
                continue
            end = closing.end()
        found = _DIRECTIVE.match(body)
        if found:
            names = tuple(name.strip() for name in found[2].split(",") if name.strip())
            reason = found[3].strip(" \t:-–—")
            yield _Said(marked[1], names, reason, bool(found[1]), marked.start(), end)
        else:
            almost = _ALMOST.match(body)
            if almost:
                yield _Said(marked[1], (), "", bool(almost[1]), marked.start(), end)


# Python


class _Comment(NamedTuple):
    text: str
    line: int
    column: int
    """From 0."""
    alone: bool
    """On a line of its own."""


class _Statement(NamedTuple):
    """A logical line: a simple statement, or the head of a compound one."""

    first: int
    last: int
    decorates: bool


class _Layout(NamedTuple):
    """Where in a file code stands, and comments."""

    comments: list[_Comment]
    statements: list[_Statement]
    code_lines: list[int]
    head: int
    """The first line behind the docstring that holds code."""


_BLANK: Final = frozenset((tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING, tokenize.ENDMARKER))


def _layout(text: str) -> _Layout:
    """Where comments and statements stand, as far as the file can be cut into tokens."""
    comments: list[_Comment] = []
    statements: list[_Statement] = []
    code_lines: list[int] = []
    head = sys.maxsize
    open_token: tokenize.TokenInfo | None = None
    plain_text = True
    behind = 0
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            line = token.start[0]
            if token.type == tokenize.COMMENT:
                comments.append(_Comment(token.string, line, token.start[1], alone=behind != line))
            elif token.type == tokenize.NEWLINE:
                if open_token:
                    statements.append(_Statement(open_token.start[0], line, open_token.string == "@"))
                    if not (plain_text and len(statements) == 1):
                        head = min(head, open_token.start[0])
                open_token, plain_text = None, True
            elif token.type not in _BLANK:
                open_token = open_token or token
                plain_text = plain_text and token.type == tokenize.STRING
                behind = token.end[0]
                code_lines.append(line)
    except (tokenize.TokenError, SyntaxError):
        # Nothing is known of what stands behind, but for the statement or line where it went wrong.
        first = open_token.start[0] if open_token else _code_below(text, behind)
        if first:
            statements.append(_Statement(first, max(first, behind), decorates=False))
            head = min(head, first)
    return _Layout(comments, statements, code_lines, head)


def _code_below(text: str, line: int) -> int:
    """The first line behind `line` that is neither blank nor a comment; 0 where there is none."""
    for number, content in enumerate(text.split("\n"), 1):
        if number > line and content.strip() and not content.lstrip().startswith("#"):
            return number
    return 0


def _see_python(content: bytes) -> Iterator[Suppression]:
    try:
        text = decode(content)
    except (SyntaxError, ValueError):
        text = content.decode("utf-8", "replace")
    layout = _layout(text.replace("\r\n", "\n").replace("\r", "\n"))
    starts = [statement.first for statement in layout.statements]
    for comment in layout.comments:
        for said in _read(comment.text):
            if said.of_file:
                above = comment.alone and comment.line < layout.head
                yield _suppression(said, comment, FILE if above else MISPLACED)
            else:
                yield _suppression(said, comment, LINE, *_reach(comment, layout, starts))


def _reach(comment: _Comment, layout: _Layout, starts: list[int]) -> tuple[int, int, int]:
    """`first`, `last` and `within` of a comment that is not the file's."""
    line = comment.line
    following = bisect.bisect_right(starts, line)
    if following and line <= layout.statements[following - 1].last:
        first, last, _ = layout.statements[following - 1]
        if comment.alone:
            below = bisect.bisect_right(layout.code_lines, line)
            return first, last, layout.code_lines[below] if below < len(layout.code_lines) else line
        return first, last, 0 if line in (first, last) else line
    if comment.alone and following < len(starts):
        decorated = following
        while layout.statements[decorated].decorates and decorated + 1 < len(starts):
            decorated += 1
        return starts[following], layout.statements[decorated].last, 0
    return (0, 0, 0) if comment.alone else (line, line, 0)


def _suppression(
    said: _Said, comment: _Comment, reach: str, first: int = 0, last: int = 0, within: int = 0
) -> Suppression:
    return Suppression(
        names=said.names,
        reason=said.reason,
        reach=reach,
        mark=said.mark,
        line=comment.line,
        column=comment.column + said.start + 1,
        end_column=comment.column + said.end + 1,
        first=first,
        last=last,
        within=within,
    )


# Other files


_HEAD: Final = (b"#", b"//", b";", b"--", b"<!", b"<?")
"""What the lines at the head of a file begin with, above which nothing is configured yet."""


def _see_text(content: bytes) -> Iterator[Suppression]:
    lines = content.removeprefix(codecs.BOM_UTF8).split(b"\n")
    marked = {n for n, line in enumerate(lines, 1) if len(line) <= _LONGEST_LINE and _ANYWHERE.search(line)}
    head = next(
        (n for n, line in enumerate(lines, 1) if line.strip() and not line.lstrip().startswith(_HEAD)), sys.maxsize
    )
    below = 0
    seen: list[Suppression] = []
    for number in range(len(lines), 0, -1):
        if number not in marked:
            below = number if lines[number - 1].strip() else below
            continue
        text = lines[number - 1].decode("utf-8", "replace").rstrip()
        on_line = list(_read(text))
        alone = bool(on_line) and not text[: on_line[0].start].strip()
        comment = _Comment(text, number, 0, alone)
        for said in on_line:
            if said.of_file:
                seen.append(_suppression(said, comment, FILE if alone and number < head else MISPLACED))
            else:
                reached = below if alone else number
                seen.append(_suppression(said, comment, LINE, reached, reached))
        below = below if alone else number
    return iter(sorted(seen, key=lambda suppression: (suppression.line, suppression.column)))


# The family


def see_bytes(content: bytes, kind: str) -> Suppressions | None:
    """The suppression comments of one file; None where there are none."""
    if b"guard:" not in content or not _ANYWHERE.search(content):
        return None
    found = tuple(_see_text(content) if kind == "text" else _see_python(content))
    return Suppressions(found) if found else None


_COMMENT_MARKS: Final = (
    (("<!--",), "md markdown html htm xhtml xml xsl svg"),
    (("//",), "js mjs cjs jsx ts mts cts tsx jsonc json5 java kt kts go rs c h cc cpp hpp cs swift proto scss"),
    (("//", "<!--"), "vue svelte"),
    (("//", "#"), "php tf tfvars hcl groovy gradle"),
    (("--",), "sql lua hs"),
    (("#", ";"), "ini cfg conf"),
    ((), "json ipynb csv tsv rst css"),
)
"""What begins a comment in files that are not Python, by suffix. Some have no comment of a line."""
_MARKS: Final = {suffix: marks for marks, suffixes in _COMMENT_MARKS for suffix in suffixes.split()}
_HASH: Final = ("#",)


def marks_of(path: str, kind: str) -> tuple[str, ...]:
    """What begins a comment in a file, by its kind and name; `#` where the name does not say."""
    if kind != "text":
        return _HASH
    return _MARKS.get(path.rpartition("/")[2].rpartition(".")[2].lower(), _HASH)


def link(program: Program) -> Mapping[str, tuple[Suppression, ...]]:
    """The suppressions of each file that has some, in the order of the file."""
    linked: dict[str, tuple[Suppression, ...]] = {}
    for path, facts in program.facts(FAMILY).items():
        marks = marks_of(path, program.files[path].kind)
        comments = tuple(comment for comment in facts.comments if comment.mark in marks)
        if comments:
            linked[path] = comments
    return linked


FAMILY: Final[Family[Suppressions, Mapping[str, tuple[Suppression, ...]]]] = Family(
    name="suppressions",
    version=1,
    facts=Suppressions,
    link=link,
    see_bytes=see_bytes,
)
