"""What stops a module from compiling on a given Python, settled by ruff's parser.

CPython's own parser knows only the running version, and `ast.parse` leaves out all that the compiler says later.
ruff reads every version's grammar and knows most of the compiler's errors too; the rest `guard.checks.syntax` asks of
the running Python. Each batch of contents is written into a private folder under neutral names, so that neither the
names nor the configuration of the checked repository reach ruff.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
import tokenize
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final

import msgspec

from guard.model import EnvironmentFailed, Span

_RULES: Final = "E9,F404,F406,F407,F622,F701,F702,F704,F706,F707,PLE0115,PLE0117,PLE0118,PLE1142,PLE1700,F821"
"""ruff's names for what CPython's compiler refuses, and F821; tests/syntax compares the two."""

UNDEFINED_NAME: Final = "F821"
LATE_FUTURE_IMPORT: Final = "F404"
UNREAD: Final = "unread"
"""Code of the one diagnostic of a file that the oracle could not read: nested too deeply for its stack."""
_GRAMMAR: Final = "invalid-syntax"
_FAILED: Final = frozenset({"io-error", "panic", "E902"})
_ADDED: Final = re.compile(r" on Python 3\.\d+ \(syntax was (added|removed) in Python (\d+)\.(\d+)\)$")
_NOQA: Final = re.compile(
    rb"#\s*noqa(?!\s*:)|#\s*noqa\s*:[^#]*\bF(?:8(?:21?)?)?\b|#\s*pylint\s*:\s*disable=[^#]*\b(?:undefined-variable|E0602)\b"
    rb"|#\s*type\s*:\s*ignore\[[^\]]*\bname-defined\b|#\s*(?:pyright|ty)\s*:\s*ignore\[[^\]]*(?:reportUndefined|unresolved-ref)"
    rb"|#\s*ruff\s*:\s*ignore\[[^\]]*\b(?:undefined-name|F821)\b|#\s*pytype\s*:\s*disable=[^#]*\bname-error\b",
    re.IGNORECASE,
)
"""What says on a line that its undefined name is meant, whichever tool it is said to."""
_FILE_NOQA: Final = re.compile(
    rb"^(?:[ \t]*#[ \t]*(?:ruff|flake8)[ \t]*:[ \t]*(?:noqa[ \t]*:|file-ignore\[)"
    rb"|#[ \t]*pylint[ \t]*:[ \t]*disable[ \t]*=)"
    rb"[^#\n]*\b(?:F(?:8(?:21?)?)?|undefined-(?:variable|name)|E0602)\b"
    rb"|^[ \t]*#[ \t]*(?:ruff|flake8)[ \t]*:[ \t]*noqa[ \t\r]*$",
    re.IGNORECASE | re.MULTILINE,
)
"""What says so of a whole file. That all of a linter's findings are left out says it too, as it does on a line: so are
parts of documents marked, which are put together from several files."""
_ALWAYS_KNOWN: Final = (3, 14)
"""The newest Python that every supported ruff can be asked about."""
_IN_MEMORY: Final = "/dev/shm"
"""Linux keeps files below it in memory. https://man7.org/linux/man-pages/man7/shm_overview.7.html"""
_PREFIX: Final = "guard-oracle-"
_LEFT_AFTER_S: Final = 3600
_LISTED: Final = (0, 1, 2)
"""Exit codes of a ruff that ended by itself; it has died where it gives another."""


class Diagnostic(msgspec.Struct, frozen=True, array_like=True):
    """One thing that the oracle says of one file."""

    code: str
    """ruff's rule, or `invalid-syntax`."""
    message: str
    span: Span
    added_in: tuple[int, int] | None = None
    """The Python that brought in this syntax, where the file is too new for the one that was asked about."""

    @property
    def is_grammar(self) -> bool:
        """Whether a parser says so, not the compiler behind it."""
        return self.code == _GRAMMAR


class _Location(msgspec.Struct):
    row: int
    column: int


class _Row(msgspec.Struct):
    code: str | None
    message: str
    filename: str
    location: _Location
    end_location: _Location
    noqa_row: int | None = None


_DECODER: Final = msgspec.json.Decoder(list[_Row])


@cache
def executable() -> str:
    """The path of ruff, which is installed with guard. Raises EnvironmentFailed where it is not."""
    suffix = ".exe" if sys.platform == "win32" else ""
    beside = Path(sysconfig.get_path("scripts")) / f"ruff{suffix}"
    if beside.is_file():
        return str(beside)
    for found in (Path(sys.executable).parent / f"ruff{suffix}", shutil.which("ruff")):
        if found and Path(found).is_file():
            return str(found)
    raise EnvironmentFailed("ruff, which settles syntax, is not installed beside guard: pip install ruff")


@cache
def oracle_version() -> str:
    """The version of the ruff that is installed, without starting it."""
    for folder in sys.path:
        found = list(Path(folder).glob("ruff-*.dist-info"))
        if len(found) == 1:
            return found[0].name.removeprefix("ruff-").removesuffix(".dist-info")
        if found:
            break
    # It costs a tenth of what a run near a change may take to import this.
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("ruff")
    except PackageNotFoundError:
        return executable()


def diagnose(contents: Sequence[bytes], target: tuple[int, int]) -> list[list[Diagnostic]]:
    """What the oracle says of each of `contents` as a module of Python `target`; by place in the file.

    A content that cannot be decoded has no diagnostics; one that the oracle cannot read has the one `UNREAD`. Columns
    count characters. Raises EnvironmentFailed when ruff cannot be run or its folder cannot be written.
    """
    rows = _rows([(number, _as_utf8(content)) for number, content in enumerate(contents)], target)
    found: list[list[Diagnostic]] = [[] for _ in contents]
    lines: dict[int, list[bytes]] = {}
    meant: dict[tuple[int, int], bool] = {}
    meant_in: dict[int, bool] = {}
    for number, row in rows:
        if row.code == UNDEFINED_NAME:
            if number not in meant_in:
                meant_in[number] = _FILE_NOQA.search(contents[number]) is not None
            if meant_in[number]:
                continue
            place = number, row.noqa_row or row.location.row
            if place not in meant:
                text = lines.get(number) or lines.setdefault(number, contents[number].splitlines())
                meant[place] = place[1] <= len(text) and _NOQA.search(text[place[1] - 1]) is not None
            if meant[place]:
                continue
        diagnostic = _diagnostic(row)
        if diagnostic.added_in is None or diagnostic.added_in > target:
            found[number].append(diagnostic)
    for diagnostics in found:
        diagnostics.sort(key=lambda d: (d.span.line, d.span.column, d.code, d.message))
    return found


def _as_utf8(content: bytes) -> bytes | None:
    """The content as ruff wants it, which reads nothing but UTF-8; None where it cannot be decoded."""
    try:
        if b"coding" not in content[:400]:
            content.decode("utf-8")
            return content
        encoding = tokenize.detect_encoding(io.BytesIO(content).readline)[0]
        return content if encoding.startswith("utf-8") else content.decode(encoding).encode("utf-8")
    except (SyntaxError, UnicodeError, LookupError):
        return None


def _rows(numbered: Sequence[tuple[int, bytes | None]], target: tuple[int, int]) -> list[tuple[int, _Row]]:
    """Every row that ruff gives, with the number of the content that it speaks of.

    A content that overflows ruff's stack takes its whole batch down, so the halves of such a batch are asked about
    one by one: only the content itself goes unread.
    """
    rows = _asked(numbered, target)
    if rows is not None:
        return [(int(os.path.basename(row.filename)[1:-3]), row) for row in rows]
    if len(numbered) == 1:
        return [(numbered[0][0], _Row("panic", "nested too deeply", "", _Location(1, 1), _Location(1, 1)))]
    middle = len(numbered) // 2
    return _rows(numbered[:middle], target) + _rows(numbered[middle:], target)


def _asked(numbered: Sequence[tuple[int, bytes | None]], target: tuple[int, int]) -> list[_Row] | None:
    """What ruff says of the contents, in a folder that is gone afterwards; None where it died of one of them."""
    error = OSError()
    for place in _scratch_folders():
        try:
            with tempfile.TemporaryDirectory(prefix=_PREFIX, dir=place) as folder:
                for number, content in numbered:
                    if content is not None:
                        with open(f"{folder}/m{number}.py", "wb") as file:
                            file.write(content)
                return _run(folder, target)
        except OSError as failed:
            error = failed
    raise EnvironmentFailed(
        f"cannot write to the folder for temporary files: {error.strerror or error}; set TMPDIR"
    ) from error


def _scratch_folders() -> list[str | None]:
    """Where contents are written for ruff, best first. Memory is many times cheaper than a disk, but may be small
    (64 MB in a container), so the usual folder (None) stands behind it; one that the user has chosen stands alone."""
    if os.environ.get("TMPDIR") or not os.access(_IN_MEMORY, os.W_OK | os.X_OK):
        return [None]
    _sweep(_IN_MEMORY)
    return [_IN_MEMORY, None]


@cache
def _sweep(place: str) -> None:
    """Remove what runs have left in memory that were killed; one that lives needs its folder for seconds."""
    oldest = time.time() - _LEFT_AFTER_S
    with contextlib.suppress(OSError), os.scandir(place) as entries:
        for entry in entries:
            if entry.name.startswith(_PREFIX) and entry.is_dir(follow_symlinks=False):
                found = entry.stat(follow_symlinks=False)
                if found.st_uid == os.getuid() and found.st_mtime < oldest:
                    shutil.rmtree(entry.path, ignore_errors=True)


def _diagnostic(row: _Row) -> Diagnostic:
    span = Span(row.location.row, row.location.column, row.end_location.row, row.end_location.column)
    if row.code in _FAILED:
        return Diagnostic(UNREAD, row.message, span)
    message, added_in = row.message, None
    changed = _ADDED.search(message)
    if changed:
        message = message[: changed.start()]
        added_in = (int(changed[2]), int(changed[3])) if changed[1] == "added" else None
    return Diagnostic(row.code or _GRAMMAR, message, span, added_in)


def _run(folder: str, target: tuple[int, int]) -> list[_Row] | None:
    """What ruff says of the files of `folder`; None where it died of one of them."""
    version = "py%d%d" % target
    try:
        run = subprocess.run(
            [
                executable(),
                *(
                    "check",
                    "--isolated",
                    "--no-cache",
                    "--ignore-noqa",
                    "--no-respect-gitignore",
                    "--quiet",
                    "--exit-zero",
                ),
                *("--target-version", version, "--select", _RULES, "--output-format", "json", "."),
            ],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=_environment(),
        )
    except OSError as error:
        raise EnvironmentFailed(f"cannot run {executable()}: {error.strerror or error}; pip install ruff") from error
    if run.returncode not in _LISTED:
        return None
    if run.returncode == 2 and version.encode() in run.stderr and target > _ALWAYS_KNOWN:
        return _run(folder, _ALWAYS_KNOWN)
    try:
        return _DECODER.decode(run.stdout)
    except msgspec.DecodeError as error:
        said = run.stderr.decode("utf-8", "replace").strip().splitlines()
        raise EnvironmentFailed(f"ruff failed (exit {run.returncode}): {said[-1] if said else error}") from error


def _environment() -> dict[str, str]:
    """The environment without what would configure ruff: RUFF_OUTPUT_FILE, say, would take its answer away."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RUFF_")}
    # guard has a process for each core already.
    return {**kept, "RAYON_NUM_THREADS": "1", "NO_COLOR": "1"}
