"""What is remembered of one file, and how it is gathered: one read, one parse, one walk, every family.

Facts are keyed by content. So a second run, another revision or another worktree costs only the files whose
content no run has seen before, whatever their paths are.
"""

from __future__ import annotations

import ast
import hashlib
import sys
import warnings
from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Final

import msgspec

from guard import __version__
from guard.checks import families
from guard.checks.packing import pack
from guard.families import AnyFamily
from guard.parse import Parsed, kind_of, parse, parse_newer
from guard.sources.tree import Reader, SourceFile, Tree, Unreadable
from guard.syntax_oracle import UNREAD, Diagnostic, diagnose, oracle_version
from guard.walk import walking

TEXT_LIMIT: Final = 64 * 1024 * 1024
"""Bytes. A file above it is not read; one that is not Python is only scanned, so it may be large."""

_LFS_HEAD: Final = b"version https://git-lfs.github.com/spec/"


class FileFacts(msgspec.Struct, frozen=True, array_like=True):
    """All that guard remembers of one content. `parts` holds each family's facts, still encoded."""

    kind: str
    """`python`, `stub` or `text`."""
    parsed: bool
    """False for Python that nothing could parse: then only the families that look at bytes have seen it."""
    parts: dict[str, msgspec.Raw]
    problem: tuple[str, str] | None = None
    """Kind and message of what could not be checked in this content."""


class Wanted(msgspec.Struct, frozen=True, array_like=True):
    """One content to gather facts for: its key, and a file of the tree that has it."""

    key: str
    file: SourceFile


class Gathering(msgspec.Struct, frozen=True):
    """What the facts of a run depend on, beside the content."""

    target: tuple[int, int]
    """The deployed Python."""
    python_limit: int
    """Bytes. A larger Python file is a problem, not a parse."""
    only: frozenset[str] | None = None
    """The names of the families whose facts are gathered; None for all of them."""

    @property
    def families(self) -> tuple[AnyFamily, ...]:
        """The families whose facts are gathered."""
        return _families_of(self.only)

    @property
    def asks_oracle(self) -> bool:
        """Whether a family wants to know what the syntax oracle says; else only files that do not parse need it."""
        return any(family.sees_unparsed for family in self.families)

    @property
    def salt(self) -> str:
        """Changes whenever the same content could give other facts."""
        parts = [
            __version__,
            _own_code(),
            "%d.%d.%d" % sys.version_info[:3],
            oracle_version(),
            "%d.%d" % self.target,
            str(self.python_limit),
            *(f"{family.name}={family.version}" for family in self.families),
        ]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


@lru_cache
def _families_of(only: frozenset[str] | None) -> tuple[AnyFamily, ...]:
    return tuple(family for family in families() if only is None or family.name in only)


@cache
def _own_code(package: Path = Path(__file__).parent) -> str:
    """What guard's own modules hold: an edited guard must not believe what it saw before. Their times do not count,
    since an installation gives new ones: what one run of CI has kept shall serve the next."""
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(package)}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def hint_of(path: str) -> str:
    """The part of a path that facts may depend on: its kind by suffix."""
    name = path.rpartition("/")[2]
    if name.endswith(".py"):
        return "py"
    if name.endswith(".pyi"):
        return "pyi"
    return "" if "." in name.lstrip(".") else "bare"


_HINT_PATHS: Final = {"py": "x.py", "pyi": "x.pyi", "bare": "x", "": "x.txt"}


def key_of(file: SourceFile) -> str:
    """The key of a file's facts, without the salt of the run."""
    return f"{file.oid}{hint_of(file.path)}"


def gather_batch(
    batch: Sequence[Wanted], reader: Reader, gathering: Gathering, between: Callable[[], None] = lambda: None
) -> list[tuple[str, bytes]]:
    """Read, parse and walk a batch of contents; gives each key with its encoded `FileFacts`. `between` is called before
    each that is parsed.

    A content that cannot be read gives facts that hold the problem. Raises EnvironmentFailed when the syntax
    oracle cannot run.
    """
    contents: list[tuple[Wanted, bytes, str]] = []
    gathered: dict[str, FileFacts] = {}
    for wanted in batch:
        hint = _HINT_PATHS[hint_of(wanted.file.path)]
        limit = gathering.python_limit if hint in ("x.py", "x.pyi") else TEXT_LIMIT
        try:
            content = reader.read(wanted.file, limit)
        except Unreadable as unreadable:
            problem = unreadable.problem
            gathered[wanted.key] = FileFacts("text", False, {}, (problem.kind, problem.message))
            continue
        contents.append((wanted, content, kind_of(hint, content[:256])))
    checked = [content for _, content, kind in contents if kind == "python" and gathering.asks_oracle]
    diagnostics = iter(diagnose(checked, gathering.target) if checked else [])
    with warnings.catch_warnings():
        # The parser warns of what it reads (`\d` in a plain string); what is worth telling the rules tell.
        warnings.simplefilter("ignore")
        for wanted, content, kind in contents:
            found = next(diagnostics) if kind == "python" and gathering.asks_oracle else []
            between()
            try:
                gathered[wanted.key] = see(content, kind, found, gathering)
            except Exception as error:
                error.add_note(f"guard was looking at {wanted.file.path}")
                raise
    return [(wanted.key, _ENCODER.encode(gathered[wanted.key])) for wanted in batch]


def see(content: bytes, kind: str, diagnostics: Sequence[Diagnostic], gathering: Gathering) -> FileFacts:
    """The facts of one content, by every family."""
    if len(content) < 1024 and content.startswith(_LFS_HEAD):
        return FileFacts("text", False, {}, ("lfs-pointer", "a Git LFS pointer: its content is not in this tree"))
    parts: dict[str, msgspec.Raw] = {}
    for family in gathering.families:
        if family.see_bytes is not None and (family.see_python is None or kind == "text"):
            facts = family.see_bytes(content, kind)
            if facts is not None:
                parts[family.name] = pack(facts)
    if kind == "text":
        return FileFacts(kind, True, parts)
    parsed = parse(content, kind, tuple(diagnostics), gathering.target)
    if parsed.tree is None and kind == "python" and not gathering.asks_oracle:
        diagnostics = diagnose([content], gathering.target)[0]
        parsed = parse(content, kind, tuple(diagnostics), gathering.target)
    if parsed.tree is None and parsed.readable_by_newer:
        parsed = parse_newer(parsed)
    try:
        _see_python(parsed, parts, gathering.families)
    except (RecursionError, MemoryError):
        return FileFacts(kind, False, parts, _TOO_DEEP)
    unread = parsed.tree is not None and any(diagnostic.code == UNREAD for diagnostic in diagnostics)
    return FileFacts(kind, parsed.tree is not None, parts, _TOO_DEEP if parsed.too_deep or unread else None)


def _see_python(parsed: Parsed, parts: dict[str, msgspec.Raw], seeing: Sequence[AnyFamily]) -> None:
    watching = [
        (family, family.see_python(parsed))
        for family in seeing
        if family.see_python is not None and (parsed.tree is not None or family.sees_unparsed)
    ]
    with walking(parsed.tree or _NOTHING, [collector for _, collector in watching]) as module:
        for family, collector in watching:
            facts = collector.finish(module)
            if facts is not None:
                parts[family.name] = pack(facts)


_TOO_DEEP: Final = ("unparsable", "its code is nested too deeply to be analysed")
_NOTHING: Final = ast.Module(body=[], type_ignores=[])
_ENCODER: Final = msgspec.msgpack.Encoder()


# One after the other


BATCH: Final = 192
"""Files. Small enough to share out evenly, large enough that starting the syntax oracle does not show."""


def batches_of(wanted: Sequence[Wanted]) -> list[Sequence[Wanted]]:
    """Contents in groups of `BATCH`."""
    return [wanted[start : start + BATCH] for start in range(0, len(wanted), BATCH)]


def gather_here(
    wanted: Sequence[Wanted], tree: Tree, gathering: Gathering, each: Callable[[Sequence[tuple[str, bytes]]], None]
) -> None:
    """Gather facts for `wanted` in this process; `each` is given every finished batch."""
    with tree.reader() as reader:
        for batch in batches_of(wanted):
            each(gather_batch(batch, reader, gathering))
