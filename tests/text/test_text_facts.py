"""The facts of a content, against git and against Python."""

from __future__ import annotations

import configparser
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guard.checks.text import TextFacts, see_bytes
from guard.checks.text_conflicts import conflicts
from guard.checks.text_hidden import hidden, suspicious
from guard.checks.text_lexer import pieces

PIECES = st.sampled_from(
    [b"\r", b"\n", b"\r\n", b"a" * 130, b"text ", b"\x00", b"\x01", b"\x1a", b"\x1b", b"\t", b"\xe9", b"\x7f"]
)
CONTENTS = st.lists(PIECES, max_size=12).map(b"".join)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("statistics")
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    return root


def by_git(root: Path, contents: list[bytes]) -> list[str]:
    """What git's `gather_convert_stats` says of each content."""
    for index, content in enumerate(contents):
        (root / f"{index:03}").write_bytes(content)
    printed = subprocess.run(
        ["git", "ls-files", "--others", "--eol", "-z"], cwd=root, capture_output=True, check=True
    ).stdout
    rows = sorted(row.split("\t")[::-1] for row in os.fsdecode(printed).split("\0") if row)
    return [said.split("w/")[1].split()[0] for _, said in rows][: len(contents)]


def by_guard(content: bytes) -> str:
    facts = see_bytes(content, "text") or TextFacts()
    if b"\0" in content or facts.git_binary:
        return "-text"
    endings = facts.endings
    if endings is None:
        return "lf" if b"\n" in content else "none"
    return "mixed" if endings.crlf and endings.lf else "crlf" if endings.crlf else "lf"


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(CONTENTS.filter(lambda content: b"\r" in content or b"\0" in content), min_size=12, max_size=12))
def test_line_endings_and_binary_are_git_s_own(repository: Path, contents: list[bytes]) -> None:
    assert [by_guard(content) for content in contents] == by_git(repository, contents)


def test_counts_and_lines() -> None:
    facts = see_bytes(b"a\nb\r\nc\rd\r\n", "text")
    assert facts is not None and facts.endings is not None
    endings = facts.endings
    assert (endings.crlf, endings.lf, endings.lone_cr, endings.crlf_line, endings.lone_cr_line) == (2, 1, 1, 2, 3)


@pytest.mark.parametrize("content", [b"", b"a\n", "é\n".encode(), b"\x00\xff\x00", b"x" * 100])
def test_healthy_content_leaves_nothing(content: bytes) -> None:
    assert see_bytes(content, "text") is None


@pytest.mark.parametrize(
    ("first", "interpreter"),
    [
        (b"#!/bin/sh", "sh"),
        (b"#! /usr/bin/env python3", "python3"),
        (b"#!/usr/bin/env -S bash -e", "bash"),
        (b"#!/usr/bin/env A=1 node", "node"),
        (b"#!", ""),
    ],
)
def test_interpreter(first: bytes, interpreter: str) -> None:
    facts = see_bytes(first + b"\r\n", "text")
    assert facts is not None
    assert (facts.interpreter, facts.shebang_cr) == (interpreter, interpreter != "")


def test_the_kernel_minds_a_cr_in_the_first_line(tmp_path: Path) -> None:
    script = tmp_path / "script"
    for ending, runs in ((b"\n", True), (b"\r\n", False)):
        script.write_bytes(b"#!/bin/sh" + ending + b"exit 0\n")
        script.chmod(0o755)
        try:
            status = subprocess.run([str(script)], check=False, capture_output=True).returncode
        except FileNotFoundError:
            status = 127
        assert (status == 0) is runs


def _mark_is_refused(content: bytes, kind: str) -> bool:
    text = content.decode("utf-8")
    try:
        match kind:
            case "json":
                json.loads(text)
            case "toml":
                tomllib.loads(text)
            case _:
                configparser.ConfigParser().read_string(text)
    except (ValueError, configparser.Error):
        return True
    return False


@pytest.mark.parametrize(("kind", "content"), [("json", b"{}"), ("toml", b"a = 1"), ("ini", b"[a]\nb = 1")])
def test_a_byte_order_mark_breaks_these(kind: str, content: bytes) -> None:
    assert not _mark_is_refused(content, kind)
    assert _mark_is_refused(b"\xef\xbb\xbf" + content, kind)


# Python


def fails(content: bytes, tmp_path: Path, *arguments: str) -> bool:
    """Whether a real Python fails on the content, as the module `checked`."""
    (tmp_path / "checked.py").write_bytes(content)
    command = [sys.executable, "-B", "-W", "ignore", *(arguments or ("checked.py",))]
    return subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode != 0


@pytest.mark.parametrize(
    "content",
    [
        "x = 'é'\n".encode("latin-1"),
        "# é\n".encode("latin-1"),
        "# -*- coding: latin-1 -*-\nx = 'é'\n".encode("latin-1"),
        "\n# vim: fileencoding=latin-1\nx = 'é'\n".encode("latin-1"),
        "\n\n# coding: latin-1\nx = 'é'\n".encode("latin-1"),
        b"# coding: no-such-codec\n",
        b"# coding: hex\n",
        b"\xef\xbb\xbf# coding: latin-1\n",
        b"\xef\xbb\xbf# coding: utf-8\nx = 1\n",
        b"# coding: ascii\nx = '\xc3\xa9'\n",
        "x = 'é'\n".encode(),
    ],
)
def test_undecodable_is_what_python_cannot_read(content: bytes, tmp_path: Path) -> None:
    facts = see_bytes(content, "python") or TextFacts()
    assert (facts.undecodable is not None) == fails(content, tmp_path)
    passes = facts.undecodable is None or facts.undecodable.imports
    assert passes != fails(content, tmp_path, "-c", "import checked")


INDENTS = st.text(" \t", max_size=10)


@settings(max_examples=300, deadline=None)
@given(st.lists(INDENTS, min_size=2, max_size=5))
def test_tab_errors_are_python_s(indents: list[str]) -> None:
    content = "if 1:\n" + "".join(f"{indent}if 1:\n{indent} x = 1\n" for indent in indents)
    try:
        compile(content, "x", "exec")
        expected = 0
    except TabError as error:
        expected = error.lineno or 0
    except SyntaxError:
        expected = 0
    facts = see_bytes(content.encode(), "python") or TextFacts()
    assert facts.tab_error == expected


# Python 3.13 takes U+200D, the joiner, for a part of a name.
_REFUSED = ["\u200b", "\u2060", "\ufeff", "\u00ad", "\u202e", "\U000e0041"]


@pytest.mark.parametrize("character", [*_REFUSED, *(["\u200d"] if sys.version_info < (3, 13) else [])])
def test_python_refuses_these_among_code(character: str) -> None:
    with pytest.raises(SyntaxError):
        compile(f"a{character} = 1\n", "x", "exec")
    (place,) = hidden(f"a{character} = 1\n", "python")
    assert (place.line, place.column, place.kind) == (1, 2, "code")
    assert suspicious(f"a{character} = 1\n".encode())


@pytest.mark.parametrize("character", ["\u3164", "\u115f", "\uffa0", "\ufe0f", "\u034f", "\U000e0100"])
def test_python_takes_these_for_letters(character: str) -> None:
    compile(f"a{character} = 1\n", "x", "exec")
    assert [place.kind for place in hidden(f"a{character} = 1\n", "python")] == ["code"]
    assert suspicious(f"a{character} = 1\n".encode())


def test_a_kanji_has_variants() -> None:
    assert hidden("蘭\U000e0100 = 1\n", "python") == ()


_LIST = "\u180e\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060"


@pytest.mark.parametrize(
    ("code", "found"),
    [
        (f'ODD = ["""{_LIST}""",\n    "a"]\n', 0),
        (f'ODD = "{_LIST}"  # all of them\n', 3),
        (f'ODD = "{_LIST[::-1]}"\n', 3),
        ('ODD = "\u202a\u202b\u202d\u202e"\n', 4),
        (f'ODD = "{_LIST}"' + " " * 300 + "+ x\n", 3),
    ],
)
def test_a_list_of_controls_hides_nothing_where_no_word_follows(code: str, found: int) -> None:
    assert len([place for place in hidden(code, "python") if place.kind == "bidi"]) == found


def test_that_nothing_is_hidden_in_lines_that_a_bundler_wrote() -> None:
    """Nobody reviews them, and what is bundled may list such characters."""
    odd = "const controls = /[\u202d\u202e\u2066]/g;"
    assert hidden(f"{'a();' * 2000}{odd}\n{'b();' * 2000}\n", "text") == ()
    assert hidden(f"{odd}{'a();' * 100}\n", "text")
    assert hidden(f"{odd}\n" + "a();\n" * 2000 + "b();" * 5000, "text")


# Conflicts


def test_markers_that_git_writes(tmp_path: Path) -> None:
    for name, text in (("base", "a\n"), ("ours", "b\n"), ("theirs", "c\n")):
        (tmp_path / name).write_text(text)
    for option in ((), ("--diff3",)):
        merged = subprocess.run(
            ["git", "merge-file", "-p", *option, "ours", "base", "theirs"],
            cwd=tmp_path,
            capture_output=True,
            check=False,
        ).stdout
        (found,) = conflicts(merged, "text")
        assert found.complete
        assert found.line == 1
        assert len(found.others) == 2 + bool(option)


def test_pieces_agree_with_ast() -> None:
    import ast

    source = Path(conflicts.__code__.co_filename).read_text(encoding="utf-8")
    statements = {
        (node.lineno, node.col_offset)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    }
    bare = {
        (source.count("\n", 0, piece.start) + 1, piece.start - source.rfind("\n", 0, piece.start) - 1)
        for piece in pieces(source)
        if piece.bare
    }
    assert bare == statements


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.sampled_from(["<<<<<<< a\n", "=======\n", ">>>>>>> b\n", '"""\n', "x\n", "'", "(", "\\\n", "#"]), max_size=14
    )
)
def test_no_arrangement_of_markers_and_quotes_raises(parts: list[str]) -> None:
    content = "".join(parts).encode()
    for kind in ("python", "text"):
        see_bytes(content, kind)
