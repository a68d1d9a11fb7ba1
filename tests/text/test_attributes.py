"""guard's gitattributes against git's own `check-attr`."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guard.attributes import UNSPECIFIED, Attributes, parse
from guard.wildmatch import compile_wildcard

ASKED = ("text", "eol", "binary", "diff", "merge", "filter", "crlf", "mine")


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("attributes")
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    return root


def by_git(root: Path, files: dict[str, bytes], info: bytes, paths: Sequence[str]) -> dict[str, dict[str, str]]:
    """What git says of `paths`: the oracle."""
    for old in root.rglob(".gitattributes"):
        old.unlink()
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
    (root / ".git/info").mkdir(exist_ok=True)
    (root / ".git/info/attributes").write_bytes(info)
    run = subprocess.run(
        ["git", "-c", "core.attributesFile=/dev/null", "check-attr", "-z", "--stdin", *ASKED],
        cwd=root,
        input=b"\0".join(os.fsencode(path) for path in paths),
        capture_output=True,
        check=True,
        env={**os.environ, "GIT_ATTR_NOSYSTEM": "1"},
    )
    fields = os.fsdecode(run.stdout).split("\0")
    said: dict[str, dict[str, str]] = {}
    for path, name, value in zip(fields[::3], fields[1::3], fields[2::3], strict=False):
        said.setdefault(path, {})[name] = value
    return said


def by_guard(files: dict[str, bytes], info: bytes, paths: Sequence[str]) -> dict[str, dict[str, str]]:
    attributes = Attributes(files, info)
    said = {}
    for path in paths:
        decided = attributes.of(path)
        said[path] = {name: decided[name].value if name in decided else UNSPECIFIED for name in ASKED}
    return said


SEGMENTS = ["a", "b", "ab", "x.py", "y.sh", "Dockerfile", "Dockerfile.dev", "a b.txt", "é.py", "[x]", "a*b", "-"]
PATHS = st.lists(st.sampled_from(SEGMENTS), min_size=1, max_size=4).map("/".join)
PIECES = st.sampled_from(
    ["*", "**", "**/", "/**", "?", "a", "b", "x", ".py", ".sh", "/", "Docker", "file", "[a-b]", "[!a]", "[^x-z]",
     "[[:alpha:]]", "[[:punct:]]", "[]a]", "[a", "\\*", "\\[", "\\", "é", ".", "-", "!", "[attr]m", "*.py"]
)  # fmt: skip
PATTERNS = st.lists(PIECES, min_size=1, max_size=5).map("".join)
QUOTED = PATTERNS.map(lambda p: '"' + p.replace("\\", "\\\\") + '"') | st.just('"a b.txt"') | st.just('"\\303\\251.py"')
STATES = st.sampled_from(
    ["text", "-text", "!text", "text=auto", "eol=lf", "eol=crlf", "!eol", "-eol", "binary", "-binary", "!binary",
     "mine", "-mine", "filter=lfs", "crlf=input", "-crlf", "-text=x", "bad!", "=x", "merge=ours"]
)  # fmt: skip
LINES = st.tuples(PATTERNS | QUOTED, st.lists(STATES, max_size=3), st.sampled_from([" ", "\t", "  "])).map(
    lambda t: t[2].join([t[0], *t[1]])
) | st.sampled_from(
    ["# a comment", "", "[attr]mine text eol=lf", "[attr]binary eol=lf", "  * text=auto", "* text # no"]
)
FILES = st.lists(LINES, max_size=6).map(lambda lines: "\n".join(lines).encode())


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    top=FILES, nested=FILES, info=FILES, paths=st.lists(PATHS, min_size=4, max_size=12, unique=True), crlf=st.booleans()
)
def test_agrees_with_git(
    repository: Path, top: bytes, nested: bytes, info: bytes, paths: list[str], crlf: bool
) -> None:
    if crlf:
        top = top.replace(b"\n", b"\r\n")
    files = {".gitattributes": top, "a/.gitattributes": nested, "a/b/.gitattributes": top}
    assert by_guard(files, info, paths) == by_git(repository, files, info, paths)


@pytest.mark.parametrize(
    "pattern",
    ["a**/c", "**/c", "a/**/c", "a/**", "**", "/**/c", "a/*/c", "a*/c", "*/c", "a/**b/c", "x/**/y*z/**/c", "**\\/c"],
)
def test_stars_and_slashes(repository: Path, pattern: str) -> None:
    paths = ["c", "a/c", "a/b/c", "ab/c", "ab/x/c", "a/b/b/c", "x/y1z/c", "x/q/y1z/y2z/w/c", "x/yz", "a"]
    files = {".gitattributes": f"{pattern} mine\n".encode()}
    assert by_guard(files, b"", paths) == by_git(repository, files, b"", paths)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("!*.py text", "negative"),
        ("*.py text # why", "'#' is not a valid attribute name"),
        ("*.py text = auto", "'' is not a valid attribute name"),
        ("*.py " + "x" * 2048, "less than 2048"),
    ],
)
def test_lines_that_git_drops(repository: Path, line: str, reason: str) -> None:
    lines, ignored = parse(f"{line}\n*.sh mine\n".encode(), ".gitattributes")
    assert [entry.pattern for entry in lines] == ["*.sh"]
    assert reason in ignored[0].reason
    files = {".gitattributes": f"{line}\n".encode()}
    assert set(by_git(repository, files, b"", ["x.py"])["x.py"].values()) == {UNSPECIFIED}


def test_a_macro_is_only_defined_at_the_top(repository: Path) -> None:
    files = {"a/.gitattributes": b"[attr]mine text\nx.py mine\n"}
    said = by_guard(files, b"", ["a/x.py"])
    assert said == by_git(repository, files, b"", ["a/x.py"])
    assert said["a/x.py"]["text"] == UNSPECIFIED
    assert "macro" in Attributes(files).ignored[0].reason


def test_the_line_that_decides_is_told() -> None:
    attributes = Attributes({".gitattributes": b"* text=auto\n*.py eol=lf\n", "a/.gitattributes": b"*.py !eol\n"})
    assert attributes.of("x.py")["eol"].line == attributes.lines[".gitattributes"][1]
    assert attributes.of("a/x.py")["eol"].line == attributes.lines["a/.gitattributes"][0]
    assert attributes.of("a/x.py")["text"].line == attributes.lines[".gitattributes"][0]


def test_a_hostile_pattern_does_not_stall() -> None:
    path = b"a" * 4000
    for pattern in (b"*a" * 60 + b"b", b"**/" * 40 + b"*a" * 40 + b"b"):
        for pathname in (True, False):
            expression = compile_wildcard(pattern, pathname=pathname)
            assert expression is not None
            assert not expression.fullmatch(path)
