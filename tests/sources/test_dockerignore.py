"""`.dockerignore`, settled against Docker's own command where it is there, and against buildah.

Docker's command packs the context itself and sends it to a daemon; here a socket takes the daemon's place and keeps
what it is sent. buildah has another matcher: a later exception that names a folder brings back what an earlier pattern
leaves out of that folder, and `{1}` is a repetition. There Docker's rules count.
"""

from __future__ import annotations

import http.server
import io
import os
import random
import re
import shutil
import socketserver
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from guard.dockerignore import Ignore, parse

Sent = Callable[[Path, bytes], frozenset[str] | None]
"""Given a context and its ignore file: the files that a build is sent, or None where it refuses the ignore file."""

FILES: Final = (
    *("a.py", "b.txt", "A.py", "é.py", "ab", "#c", "!d", "-e", ".env", "x y", "[z]", "a{1}"),
    *("dir/a.py", "dir/b.txt", "dir/sub/a.py", "dir/sub/deep/a.py", "dir/sub/deep/c", "other/dir/a.py", "other/a"),
    *("tests/test_a.py", "tests/data/x", "src/tests/y", "src/pkg/test_b.py", "src/pkg/__pycache__/a.pyc"),
)
EVERY_A: Final = "dir/a.py|dir/sub/a.py|dir/sub/deep/a.py"
TABLE: Final[tuple[tuple[bytes, str], ...]] = (
    (b"", ""),
    (b"# dir\n\n  \n", ""),
    (b" #c\n", "#c"),
    (b"\\#c", "#c"),
    (b"a.py\r\nb.txt\r\n", "a.py|b.txt"),
    (b"\xef\xbb\xbfa.py\n", "a.py"),
    (b"b.txt\n\xef\xbb\xbfa.py\n", "b.txt"),
    (b"/a.py\n", "a.py"),
    (b"./dir/../a.py\n", "a.py"),
    (b"../a.py\n/\n.\n", ""),
    (b"dir\n", "dir/"),
    (b"dir/\n", "dir/"),
    (b"/dir/sub//\n", "dir/sub/"),
    (b"sub\n", ""),
    (b"*\n", "*"),
    (b"**\n", "*"),
    (b"*.py\n", "a.py|A.py|é.py"),
    (b"*/*.py\n", "dir/a.py|tests/test_a.py"),
    (b"**/*.py\n", f"a.py|A.py|é.py|{EVERY_A}|other/dir/a.py|tests/test_a.py|src/pkg/test_b.py"),
    (b"**/dir\n", "dir/|other/dir/"),
    (b"**/tests/**\n", "tests/|src/tests/"),
    (b"dir/**\n", "dir/"),
    (b"dir/**/a.py\n", EVERY_A),
    (b"d**p\n", ""),
    (b"**a\n", "other/a|tests/data/"),
    (b"other/**a\n", "other/a"),
    (b"?.py\n", "a.py|A.py|é.py"),
    (b"??\n", "ab|#c|!d|-e"),
    (b"[ab].*\n", "a.py|b.txt"),
    (b"[^a].py\n", "A.py|é.py"),
    (b"[a-c]*\n", "a.py|b.txt|ab|a{1}"),
    (b"a{1}\n", "a{1}"),
    (b"x y\n", "x y"),
    (b"\\[z]\n", "[z]"),
    (b"\\[z\\]\n", "[z]"),
    (b"a.PY\n", ""),
    (b"dir\n!dir/b.txt\n", "dir/|-dir/b.txt"),
    (b"dir/*\n!dir/sub\n", "dir/|-dir/sub/"),
    (b"!dir/b.txt\ndir\n", "dir/"),
    (b"*\n!dir\ndir/sub\n!dir/sub/deep/c\n", "*|-dir/a.py|-dir/b.txt|-dir/sub/deep/c"),
    (b"*\n! a.py \n", "*|-a.py"),
    (b"*.py\n!!d\n!/a.py", "A.py|é.py"),
    (b"!d\nab\n", "ab"),
    (b"\\!d\n", "!d"),
    (b"/!d\n", ""),
    (b"dir/a.py\n!dir\n", "dir/a.py"),
    (b"[\n", "refused"),
    (b"[z-a]\n", "refused"),
    (b"!\n", "refused"),
    (b"! /\n", "refused"),
)
"""Ignore files, and what each leaves out of `FILES`: files, folders with `/`, `*` for all; without those behind `-`."""
NAMES: Final = ("a", "b", "ab", "a.py", "b.py", "foo", "foobar", "é", "A", "a b", "-x", "!a", "#c", "[x]", ".env")
WILD: Final = (
    *(
        "*",
        "**",
        "*.py",
        "a*",
        "?",
        "[ab]",
        "[^a]",
        "[a-c]*",
        "**a",
        "a**",
        "*a*",
        "??",
        "\\#c",
        "\\[x]",
        ".",
        "..",
        "***",
    ),
    *("foo*", "[ab", "]", "*b", "é*", ".*", "a?", "a**b", "*o*b", "{a}", "+", "\\d"),
)


def test_the_table_is_what_guard_says() -> None:
    for content, words in TABLE:
        assert guards(content, FILES) == expected(words), content


def test_what_nobody_can_tell_has_no_answer() -> None:
    for content in (b"\\d", b"[[:alpha:]]", b"a*b**c", b"[a\\]]", b"a" * 5000, b"x\n" * 2001):
        assert parse(content) is None, content[:20]


def test_all_of_a_folder_is_left_out_where_nothing_may_bring_any_of_it_back() -> None:
    def pattern(content: bytes, path: str) -> str:
        ignore = parse(content)
        assert ignore is not None
        found = ignore.leaves_out_all_of(path)
        return "" if found is None else f"{found.line}:{found.text}"

    assert pattern(b"# all\n/dir/\n", "dir/sub") == "2:/dir/"
    assert pattern(b"dir\n!other\n!dirs\n", "dir") == "1:dir"
    assert pattern(b"dir\n!dir/sub/deep/c\n", "dir/sub") == ""
    assert pattern(b"dir\n!dir/sub/deep/c\n", "dir/b.txt") == "1:dir"
    assert pattern(b"dir\n!**/c\n", "dir") == ""
    assert pattern(b"*\n!dir/**\n!/src/pkg*/x\n", "a.py") == "1:*"
    assert pattern(b"*\n!dir/**\n", "dir") == pattern(b"*\n!dir/sub*/x\n", "dir/sub") == ""
    assert pattern(b"*\n!d*/c\n", "a.py") == ""
    assert pattern(b"dir/a.py\n!dir\n", "dir/a.py") == ""  # BuildKit leaves it out, buildah does not
    assert pattern(b"!**/c\ndir\n", "dir") == "2:dir"
    assert pattern(b"dir/*\n", "dir") == ""


def test_no_pattern_takes_long() -> None:
    started = time.perf_counter()
    for content in (
        b"**/a" * 500,
        b"*a" * 1000 + b"b",
        b"**/" + b"a*/" * 800,
        b"?*" * 900 + b"/x",
        b"**/*a*a*a*a*b\n" * 5,
    ):
        ignore = parse(content)
        for path in ("a" * 4000, "a/" * 2000 + "a", "/".join(["aaaaab"] * 500)):
            if ignore is not None:
                ignore.leaves_out(path)
    assert time.perf_counter() - started < 20


# Against others


def test_docker_says_the_same(tmp_path: Path, docker: Sent) -> None:
    context = write(tmp_path, FILES)
    for content, words in TABLE:
        found = docker(context, content)
        assert (None if found is None else frozenset(FILES) - found) == expected(words), content


def test_docker_says_the_same_of_random_patterns(tmp_path: Path, docker: Sent) -> None:
    chance = random.Random(20)
    context = write(tmp_path, random_files(chance))
    files = sorted({str(path.relative_to(context)) for path in context.rglob("*") if path.is_file()} - {"Dockerfile"})
    known = 0
    for _ in range(60):
        content = "\n".join(random_line(chance) for _ in range(chance.randint(1, 6))).encode()
        ignore, found = parse(content), docker(context, content)
        if ignore is None:
            continue
        assert found is not None, content
        assert found - {"Dockerfile", ".dockerignore"} == {file for file in files if is_packed(ignore, file)}, content
        known += 1
    assert known > 30


def test_buildah_says_the_same(tmp_path: Path, buildah: Sent) -> None:
    """Each line of the table in a folder of its own, so that one build tells of all of them that can be moved there."""
    moved = [(content, words) for content, words in TABLE if can_move(content, words)]
    files = [f"{number}/{file}" for number in range(len(moved)) for file in FILES]
    lines, left = [], set()
    for number, (content, words) in enumerate(moved):
        for line in content.decode().split("\n"):
            mark = "!" if line.startswith("!") else ""
            lines.append(f"{mark}{number}/{line.removeprefix('!').strip().lstrip('/')}" if line.strip() else line)
        left |= {f"{number}/{file}" for file in expected(words) or ()}
    content = "\n".join(lines).encode()
    found = buildah(write(tmp_path / "moved", files), content)
    assert found is not None
    assert guards(content, files) == left == frozenset(files) - found
    context = write(tmp_path / "whole", FILES)
    for content in (
        b"\xef\xbb\xbf**/dir\n/a.py\r\n# b.txt\n",
        b"*\n!dir\ndir/sub\n!dir/sub/deep/c\n",
        b"**/*.py\n!**/b.txt\n",
    ):
        found = buildah(context, content)
        assert found is not None
        assert guards(content, FILES) == frozenset(FILES) - found, content
    assert buildah(context, b"[\n") is None


def can_move(content: bytes, words: str) -> bool:
    """Whether the lines mean the same below a folder, to buildah as well."""
    plain = all(
        re.match(rb"[\w*?\[./!]", line) and not line.startswith((b"**", b"..", b"/\n", b"!!", b"/!"))
        for line in content.split(b"\n")
        if line.strip()
    )
    return (
        plain
        and words != "refused"
        and content not in {b"dir/a.py\n!dir\n", b"!d\nab\n", b"a{1}\n"}
        and b".." not in content
    )


@pytest.fixture(scope="module")
def docker() -> Iterator[Sent]:
    if sys.platform == "win32" or shutil.which("docker") is None:
        pytest.skip("only on a machine with Docker's command")
    folder = Path(tempfile.mkdtemp(prefix="d"))
    bodies: list[bytes] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None: ...

        def address_string(self) -> str:
            return ""

        def do_GET(self) -> None:
            self.answer(b"OK")

        def do_HEAD(self) -> None:
            self.answer(b"")

        def do_POST(self) -> None:
            body = io.BytesIO()
            while size := int(self.rfile.readline(), 16):
                body.write(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            bodies.append(body.getvalue())
            self.answer(b'{"stream":"done"}')

        def answer(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Api-Version", "1.41")
            self.send_header("Ostype", "linux")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    class Server(socketserver.ThreadingUnixStreamServer):
        daemon_threads = True

    def sent(context: Path, content: bytes) -> frozenset[str] | None:
        (context / ".dockerignore").write_bytes(content)
        bodies.clear()
        done = subprocess.run(
            ["docker", "build", "--quiet", os.fspath(context)],
            env={**os.environ, "DOCKER_HOST": f"unix://{folder}/s", "DOCKER_BUILDKIT": "0", "HOME": os.fspath(folder)},
            capture_output=True,
            text=True,
            check=False,
        )
        if not bodies:
            assert "checking context" in done.stderr, done.stderr
            return None
        with tarfile.open(fileobj=io.BytesIO(bodies[-1])) as archive:
            return frozenset(member.name for member in archive if member.isfile())

    with Server(f"{folder}/s", Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield sent
        server.shutdown()
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def buildah() -> Iterator[Sent]:
    if sys.platform != "linux":
        pytest.skip("only on Linux, where images are built without a virtual machine")
    if os.environ.get("GUARD_TESTS_AGAIN"):
        pytest.skip("only on the first Python of several")
    if shutil.which("buildah") is None:
        pytest.skip("buildah is not installed")
    folder = Path(tempfile.mkdtemp())
    storage = ("--root", f"{folder}/root", "--runroot", f"{folder}/run", "--storage-driver", "vfs")

    def sent(context: Path, content: bytes) -> frozenset[str] | None:
        (context / ".dockerignore").write_bytes(content)
        out = folder / "out"
        shutil.rmtree(out, ignore_errors=True)
        options = ("--isolation", "chroot", "--output", f"type=local,dest={out}")
        done = subprocess.run(
            ["buildah", *storage, "bud", *options, os.fspath(context)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            if "pattern" not in done.stderr:
                pytest.skip(f"only on a machine where buildah may run: {done.stderr.strip()[-200:]}")
            return None
        return frozenset(str(path.relative_to(out)) for path in out.rglob("*") if path.is_file())

    yield sent
    shutil.rmtree(folder, ignore_errors=True)


# Support


def is_packed(ignore: Ignore, file: str) -> bool:
    """Whether Docker's older builder packs a file. It never looks into a folder that is left out for what an exception
    may bring back that begins with a wildcard; BuildKit does, as it is written."""
    back = [f"{pattern.path}/" for pattern in ignore.patterns if pattern.negated]
    parts = file.split("/")
    for number in range(1, len(parts)):
        folder = "/".join(parts[:number])
        if ignore.leaves_out(folder) is not None and not any(text.startswith(f"{folder}/") for text in back):
            return False
    return ignore.leaves_out(file) is None


def write(folder: Path, files: tuple[str, ...] | list[str]) -> Path:
    """Write a context with these files, and a Dockerfile that copies all of it."""
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text("x\n")
    (folder / "Dockerfile").write_text("FROM scratch\nCOPY . /\n")
    return folder


def guards(content: bytes, files: tuple[str, ...] | list[str]) -> frozenset[str] | None:
    """What guard says is left out of the files."""
    ignore = parse(content)
    return None if ignore is None else frozenset(file for file in files if ignore.leaves_out(file) is not None)


def expected(words: str) -> frozenset[str] | None:
    """What the second part of a line of `TABLE` means."""
    if words == "refused":
        return None
    found: set[str] = set()
    for word in filter(None, words.split("|")):
        taken = word.startswith("-") and word not in FILES
        name = word.removeprefix("-") if taken else word
        files = {file for file in FILES if name in ("*", file) or (name.endswith("/") and file.startswith(name))}
        assert files, word
        found = found - files if taken else found | files
    return frozenset(found)


def random_files(chance: random.Random) -> list[str]:
    """Paths of which none is a folder of another."""
    found: set[str] = set()
    for _ in range(60):
        path = "/".join(chance.choice(NAMES) for _ in range(chance.randint(1, 4)))
        if not any(f"{other}/".startswith(f"{path}/") or f"{path}/".startswith(f"{other}/") for other in found):
            found.add(path)
    return sorted(found)


def random_line(chance: random.Random) -> str:
    """A line of an ignore file, often an odd one."""
    parts = [chance.choice(NAMES if chance.random() < 0.6 else WILD) for _ in range(chance.randint(1, 4))]
    text = "/".join(parts)
    for odds, form in ((0.15, "/{}"), (0.15, "{}/"), (0.1, "./{}"), (0.2, "!{}"), (0.1, " {} \t"), (0.05, "#{}")):
        if chance.random() < odds:
            text = form.format(text)
    return text
