"""What is remembered of one file, and how it is gathered: one read, one parse, one walk, every family.

Facts are keyed by content. So a second run, another revision or another worktree costs only the files whose
content no run has seen before, whatever their paths are.
"""

from __future__ import annotations

import ast
import gc
import hashlib
import multiprocessing
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from functools import cache
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
        return tuple(family for family in families() if self.only is None or family.name in self.only)

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


def gather_batch(batch: Sequence[Wanted], reader: Reader, gathering: Gathering) -> list[tuple[str, bytes]]:
    """Read, parse and walk a batch of contents; gives each key with its encoded `FileFacts`.

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
            if _worker is not None:
                _worker.end_if_stopped()
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


# The pool


BATCH: Final = 192
"""Files. Small enough to share out evenly, large enough that starting the syntax oracle does not show."""


def gather(
    wanted: Sequence[Wanted],
    tree: Tree,
    gathering: Gathering,
    jobs: int,
    each: Callable[[Sequence[tuple[str, bytes]]], None],
) -> dict[str, str]:
    """Gather facts for `wanted`, with `jobs` processes; `each` is given every finished batch.

    Gives the keys whose content made the worker die (a parser that overflows its stack, say), with a message:
    the batch is tried again one file at a time, so that one such file costs only itself.
    """
    batches = [wanted[start : start + BATCH] for start in range(0, len(wanted), BATCH)]
    if jobs <= 1 or len(wanted) <= BATCH // 4:
        with tree.reader() as reader:
            for batch in batches:
                each(gather_batch(batch, reader, gathering))
        return {}
    if len(batches) < jobs * 2:
        size = -(-len(wanted) // (jobs * 2))
        batches = [wanted[start : start + size] for start in range(0, len(wanted), size)]
    crashed: dict[str, str] = {}
    waiting = _in_pool(batches, tree, gathering, jobs, each)
    while waiting:
        # A pool with a dead worker loses what its other workers had in hand too, so one batch at a time from here on.
        batch = waiting.pop()
        if not _in_pool([batch], tree, gathering, 1, each):
            continue
        if len(batch) == 1:
            crashed[batch[0].key] = "reading this file makes the parser crash"
        else:
            middle = len(batch) // 2
            waiting += [batch[:middle], batch[middle:]]
    return crashed


def _in_pool(
    batches: Sequence[Sequence[Wanted]],
    tree: Tree,
    gathering: Gathering,
    jobs: int,
    each: Callable[[Sequence[tuple[str, bytes]]], None],
) -> list[Sequence[Wanted]]:
    """Run batches in a fresh pool; gives those that were not finished because a worker died."""
    unfinished: list[Sequence[Wanted]] = []
    others, threads = set(multiprocessing.active_children()), set(threading.enumerate())
    if _CONTEXT.get_start_method() != "fork":
        # A worker that is started anew would look for Python's own modules in the current folder, the checked one.
        os.environ["PYTHONSAFEPATH"] = "1"
    with ProcessPoolExecutor(jobs, _CONTEXT, _start_worker, (tree, gathering)) as pool:
        running = {pool.submit(_work, batch): batch for batch in batches}
        try:
            for future in as_completed(running):
                try:
                    each(future.result())
                except BrokenProcessPool:
                    unfinished.append(running[future])
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for worker in set(multiprocessing.active_children()) - others:
                worker.terminate()
            # A thread of the pool that closes its pipe while the interpreter ends makes that print a traceback.
            for thread in set(threading.enumerate()) - threads:
                thread.join(_ENDS_WITHIN_S)
            raise
    return unfinished


_ENDS_WITHIN_S: Final = 2.0
"""What a thread of an interrupted pool is waited for; it has nothing left to do."""
_CONTEXT: Final = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")


class _Worker:
    """What a worker process holds: made when it starts, used for every batch."""

    def __init__(self, tree: Tree, gathering: Gathering) -> None:
        self._reader = tree.reader()
        self._gathering = gathering
        self._busy = False
        self._stopped = False

    def stop(self, _signal: int, _frame: object) -> None:
        """End at once, or in the midst of a batch as soon as no temporary file of it is there."""
        self._stopped = True
        if not self._busy:
            os._exit(1)

    def end_if_stopped(self) -> None:
        """For places where nothing must be put away first."""
        if self._stopped:
            os._exit(1)

    def work(self, batch: Sequence[Wanted]) -> list[tuple[str, bytes]]:
        """The facts of one batch."""
        self._busy = True
        try:
            return gather_batch(batch, self._reader, self._gathering)
        finally:
            self._busy = False
            self.end_if_stopped()
            gc.collect()


_worker: _Worker | None = None


def _start_worker(tree: Tree, gathering: Gathering) -> None:
    global _worker
    # Syntax trees are large and hold no cycles: the cyclic collector would walk them again and again for nothing.
    gc.disable()
    gc.freeze()  # what the parent has made lives as long as the worker, and need not be walked after each batch
    _worker = _Worker(tree, gathering)
    # An interruption is the parent's to handle: it tells its workers by SIGTERM.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _worker.stop)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A pool's workers wait for work for ever when their parent is killed, so each of them waits for its end too."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


def _work(batch: Sequence[Wanted]) -> list[tuple[str, bytes]]:
    if _worker is None:
        raise RuntimeError("a worker was given work before it was started")
    return _worker.work(batch)
