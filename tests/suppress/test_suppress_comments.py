"""Which comments are suppressions, what they say and what they reach."""

from __future__ import annotations

import re
import time

import pytest
from suppress_support import comments

from guard.checks.suppressions import see_bytes


def said(content: str, path: str = "a.py") -> list[tuple[tuple[str, ...], str, str]]:
    return [(one.names, one.reason, one.reach) for one in comments(content, path)]


@pytest.mark.parametrize(
    ("comment", "names", "reason"),
    [
        ("# guard: ignore[IMP002] a reason", ("IMP002",), "a reason"),
        ("#guard:ignore[IMP002]: a reason", ("IMP002",), "a reason"),
        ("# guard: ignore[IMP002] - a reason", ("IMP002",), "a reason"),
        ("# guard:  ignore[ imp002 ,missing-name,, EOL ]  a  reason  ", ("imp002", "missing-name", "EOL"), "a  reason"),
        ("# guard: ignore[IMP002]", ("IMP002",), ""),
        ("# guard: ignore[IMP002]  # <- SUP002", ("IMP002",), ""),
        ("# guard: ignore[IMP002] why  # noqa: F401", ("IMP002",), "why"),
        ("# guard: ignore[IMP002] why #noqa", ("IMP002",), "why"),
        ("# guard: ignore[IMP002] #123", ("IMP002",), "#123"),
        ("# guard: ignore[IMP002] see issue #123", ("IMP002",), "see issue #123"),
        ("# guard: ignore[IMP002] see https://x.example/1#a", ("IMP002",), "see https://x.example/1#a"),
        ("# guard: ignore[IMP002] über [x]", ("IMP002",), "über [x]"),
        ("# noqa  # guard: ignore[IMP002] why", ("IMP002",), "why"),
        # almost: it must not be silently without effect
        ("# guard: ignore", (), ""),
        ("# guard: ignore  # noqa", (), ""),
        ("# guard: ignore[]", (), ""),
        ("# guard: ignore[ , ] why", (), "why"),
        ("# guard: ignore[IMP002 why", (), ""),
        ("# guard: ignore IMP002", (), ""),
        ("# guard: ignore [IMP002] why", (), ""),
        ("# guard: ignore=IMP002", (), ""),
    ],
)
def test_what_a_comment_says(comment: str, names: tuple[str, ...], reason: str) -> None:
    assert said(f"x = 1  {comment}\n") == [(names, reason, "line")]


@pytest.mark.parametrize(
    "line",
    [
        "# guard: ignore what is empty",
        "# Guard: ignore[IMP002] x",
        "# guard: ignored[IMP002] x",
        "# guard: ignore [the rest]",
        "# vanguard: ignore[IMP002]",
        "# write `# guard: ignore[IMP002] reason` there",
        "# write '# guard: ignore[IMP002] reason' there",
        "# see guard: ignore[IMP002]",
        "x = '# guard: ignore[IMP002] no comment'",
        'x = """\n# guard: ignore[IMP002] no comment\n"""',
        'f"""{1}\n# guard: ignore[IMP002] no comment\n"""',
    ],
)
def test_what_is_no_suppression(line: str) -> None:
    assert said(f"{line}\n") == []


def test_two_on_one_line() -> None:
    found = comments("x = 1  # guard: ignore[IMP001] one  # guard: ignore[EOL] two\n")
    assert [(one.names, one.reason, one.column, one.end_column) for one in found] == [
        (("IMP001",), "one", 8, 35),
        (("EOL",), "two", 37, 61),
    ]


def test_columns_count_characters_from_one_up_to_the_end_of_the_reason() -> None:
    line = "ä = 'ü'  # guard: ignore[IMP001] größer  # noqa"
    [one] = comments(f"{line}\n")
    assert line[one.column - 1 : one.end_column - 1] == "# guard: ignore[IMP001] größer"
    line = "clé: ü  # guard: ignore[EOL001] größer   "
    [one] = comments(f"{line}\n", "a.yaml")
    assert line[one.column - 1 : one.end_column - 1] == "# guard: ignore[EOL001] größer"


# What a comment reaches. Lines marked > are those where a finding of one line is covered.


REACHES = {
    "the line": """
      x = 1
    > y = 2  # guard: ignore[IMP] r
      z = 3
    """,
    "the last line without a newline": """
      x = 1
    > y = 2  # guard: ignore[IMP] r""",
    "the next statement": """
      x = 1
    > # guard: ignore[IMP] r
    > y = 2
      z = 3
    """,
    "the next statement behind blanks and comments": """
    > # guard: ignore[IMP] r

      # more

    > y = (
    >     2
    > )
      z = 3
    """,
    "the next statement outside the block": """
      if x:
          pass
    >     # guard: ignore[IMP] r
    > y = 2
    """,
    "the head of a block only": """
    > # guard: ignore[IMP] r
    > class A(
    >     B,
    > ):
          x = 1
    """,
    "decorators and what they decorate": """
    > # guard: ignore[IMP] r
    > @a
    > @b(
    >     1
    > )
    > def f():
          pass
    """,
    "a decorator's line": """
    > @a  # guard: ignore[IMP] r
      def f():
          pass
    """,
    "the first line of a statement": """
    > from a import (  # guard: ignore[IMP] r
    >     b,
    >     c,
    > )
      z = 3
    """,
    "the last line of a statement": """
    > from a import (
    >     b,
    >     c,
    > )  # guard: ignore[IMP] r
      z = 3
    """,
    "a line inside a statement": """
      from a import (
    >     b,  # guard: ignore[IMP] r
          c,
      )
    """,
    "the line below, inside a statement": """
      from a import (
          b,
    >     # guard: ignore[IMP] r

          # more
    >     c,
          d,
      )
    """,
    "a text over lines": '''
    > x = """
    >     a
    > """  # guard: ignore[IMP] r
      z = 3
    ''',
    "nothing below": """
      x = 1
    > # guard: ignore[IMP] r
    """,
    "only comments": """
    > # guard: ignore[IMP] r
      # more
    """,
    "a line joined by a backslash": """
    > x = 1 + \\
    >     2  # guard: ignore[IMP] r
      z = 3
    """,
    "a statement behind a semicolon": """
    > x = 1; y = 2  # guard: ignore[IMP] r
      z = 3
    """,
    "stacked": """
    > # guard: ignore[IMP] r
    > # guard: ignore[EOL] r
    > y = 2
      z = 3
    """,
    "above a line that cannot be read": """
      x = 1
    > # guard: ignore[IMP] r
    > y = '
      z = 3
    """,
    "at a line that cannot be read": """
      x = 1
    > y = ) ' # guard: ignore[IMP] r
      z = 3
    """,
}


def split_reach(text: str) -> tuple[str, set[int]]:
    lines = [line[4:] for line in text.removeprefix("\n").split("\n")]
    if not lines[-1].strip():
        lines[-1] = ""
    return "\n".join(line[2:] for line in lines), {n for n, line in enumerate(lines, 1) if line.startswith(">")}


@pytest.mark.parametrize("name", REACHES)
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_reach(name: str, newline: str) -> None:
    text, expected = split_reach(REACHES[name])
    count = len(text.split("\n"))
    covered = set()
    found = comments(text.replace("\n", newline))
    assert found or "cannot be read" in name
    for one in found:
        covered |= {line for line in range(1, count + 1) if one.covers(line, line)}
    if found:
        assert covered == expected


def test_a_finding_that_spans_the_line_inside_its_statement_is_covered() -> None:
    [one] = comments("def f():\n    g(\n        a,  # guard: ignore[IMP] r\n        b,\n    )\n")
    assert one.covers(2, 5)
    assert not one.covers(2, 2)
    assert not one.covers(1, 5), "a finding on the whole function is not the argument's"


def test_a_finding_on_a_whole_block_is_covered_from_its_head() -> None:
    [one] = comments("class A:  # guard: ignore[IMP] r\n    x = 1\n    y = 2\n")
    assert one.covers(1, 3)
    assert not one.covers(2, 2)


# ignore-file


@pytest.mark.parametrize(
    ("content", "reach"),
    [
        ("# guard: ignore-file[EOL001] r\nx = 1\n", "file"),
        ("#!/usr/bin/env python\n# -*- coding: utf-8 -*-\n\n# guard: ignore-file[EOL001] r\n", "file"),
        ("\ufeff# guard: ignore-file[EOL001] r\nx = 1\n", "file"),
        ('"""Doc."""\n# guard: ignore-file[EOL001] r\nx = 1\n', "file"),
        ("'a' 'b'\n# guard: ignore-file[EOL001] r\n", "file"),
        ("x = 1\n# guard: ignore-file[EOL001] r\n", "misplaced"),
        ('"""Doc."""\n"""More."""\n# guard: ignore-file[EOL001] r\n', "misplaced"),
        ('"""Doc.""" + x\n# guard: ignore-file[EOL001] r\n', "misplaced"),
        ("x = 1  # guard: ignore-file[EOL001] r\n", "misplaced"),
        ('"""Doc."""  # guard: ignore-file[EOL001] r\n', "misplaced"),
        ("x = (\n  # guard: ignore-file[EOL001] r\n)\n", "misplaced"),
    ],
)
def test_where_ignore_file_holds(content: str, reach: str) -> None:
    [one] = comments(content)
    assert (one.names, one.reason, one.reach) == (("EOL001",), "r", reach)
    assert one.covers(99, 99) is (reach == "file")
    assert one.written == "ignore-file[EOL001]"


# Other files


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("Dockerfile", "# guard: ignore[EOL001] r"),
        ("a.yaml", "key: 1  # guard: ignore[EOL001] r"),
        ("script", "#!/bin/sh\n# guard: ignore[EOL001] r"),
        ("tool", "#!/usr/bin/env python3\nx = 1  # guard: ignore[EOL001] r"),
        ("a.pyi", "x: int  # guard: ignore[EOL001] r"),
        ("a.js", "f()  // guard: ignore[EOL001] r"),
        ("A.TS", "// guard: ignore[EOL001] r  // more"),
        ("a.ini", "; guard: ignore[EOL001] r"),
        ("a.cfg", "# guard: ignore[EOL001] r"),
        ("a.sql", "select 1; -- guard: ignore[EOL001] r"),
        ("a.md", "<!-- guard: ignore[EOL001] r -->"),
        ("a.html", "<p> <!--guard: ignore[EOL001] r--> </p>"),
        ("a.tf", "// guard: ignore[EOL001] r"),
        (".env", "A=1 # guard: ignore[EOL001] r"),
    ],
)
def test_comment_marks_by_file(path: str, line: str) -> None:
    assert said(line, path) == [(("EOL001",), "r", "line")]


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("a.md", "# guard: ignore[EOL001] a heading"),
        ("a.md", "    x = 1  # guard: ignore[EOL001] an example"),
        ("a.md", "<!-- guard: ignore[EOL001] not closed on its line"),
        ("a.yaml", "// guard: ignore[EOL001] r"),
        ("a.yaml", "a: b# guard: ignore[EOL001] r"),
        ("a.sh", 'echo "# guard: ignore[EOL001] r"'),
        ("a.json", "// guard: ignore[EOL001] r"),
        ("a.rst", "# guard: ignore[EOL001] r"),
        ("a.js", "# guard: ignore[EOL001] r"),
        ("a.yaml", "x" * 10_001 + " # guard: ignore[EOL001] r"),
    ],
)
def test_what_is_no_comment_in_a_file(path: str, line: str) -> None:
    assert said(line, path) == []


def test_reach_in_other_files() -> None:
    content = "\n# guard: ignore[EOL] r\n# guard: ignore[IMP] r\n\n# more\na: 1  # guard: ignore[IMP] r\nb: 2"
    found = comments(content.replace("\n", "\r\n"), "a.yaml")
    assert [{line for line in range(9) if one.covers(line, line)} for one in found] == [{2, 5}, {3, 5}, {6}]
    [last] = comments("a: 1\n# guard: ignore[EOL] r\n", "a.yaml")
    assert [line for line in range(1, 9) if last.covers(line, line)] == [2]


@pytest.mark.parametrize(
    ("content", "reach"),
    [
        ("\n# guard: ignore-file[EOL001] r\na: 1", "file"),
        ("\ufeff#!/bin/sh\n; x\n# guard: ignore-file[EOL001] r", "file"),
        ("a: 1\n# guard: ignore-file[EOL001] r", "misplaced"),
        ("a: 1  # guard: ignore-file[EOL001] r", "misplaced"),
    ],
)
def test_ignore_file_in_other_files(content: str, reach: str) -> None:
    [one] = comments(content, "a.yaml")
    assert one.reach == reach


def test_an_html_comment_ends_behind_its_closing_mark() -> None:
    line = "a <!-- guard: ignore[EOL001] r --> b"
    [one] = comments(line, "a.md")
    assert line[one.column - 1 : one.end_column - 1] == "<!-- guard: ignore[EOL001] r -->"


# Hostile content


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xfe# guard: ignore[IMP002] r\n",
        b"# -*- coding: nonsense -*-\nx = 1  # guard: ignore[IMP002] r\n",
        b"x = '\xff'  # guard: ignore[IMP002] r\n",
        b"x = 1  # guard: ignore[IMP002] r\n\x00\n",
        b"x = 1  # guard: ignore[IMP002] r\n  y\n z\n",
        b"x = ((((((  # guard: ignore[IMP002] r\n",
        b"# guard: ignore[IMP002] r\n'''",
        b"(" * 5000 + b"# guard: ignore[IMP002] r\n",
    ],
)
@pytest.mark.parametrize("kind", ["python", "stub", "text"])
def test_content_that_is_not_well_formed_never_raises(content: bytes, kind: str) -> None:
    found = see_bytes(content, kind)
    assert found is None or all(one.names == ("IMP002",) for one in found.comments)


@pytest.mark.parametrize(
    "content",
    [
        b"# guard: ignore[IMP002] r " * 40_000,
        b"# guard: ignore[" * 40_000,
        b"# guard: ignore[IMP002] r\n" * 20_000,
        b"<!-- guard: ignore[A] r " * 40_000,
        b"# guard: ignore[A]" + b" " * 2_000_000 + b"x",
    ],
)
def test_a_hostile_file_takes_linear_time(content: bytes) -> None:
    started = time.process_time()
    see_bytes(content, "text")
    see_bytes(b"#" + content, "python")
    assert time.process_time() - started < 5


def test_files_without_the_words_are_not_read_further() -> None:
    assert see_bytes(b"x = 1\n", "python") is None
    assert see_bytes(b"# guard: these walls\n(((", "python") is None
    assert see_bytes(b"x = 'guard: ignore'\n", "python") is None


def test_a_finding_of_no_end_line_is_taken_as_one_line() -> None:
    [one] = comments("f(\n  a,  # guard: ignore[IMP] r\n)\n")
    assert one.covers(2, 0)
    assert not one.covers(1, 0)
    assert re.fullmatch(r"ignore\[IMP\]", one.written)
