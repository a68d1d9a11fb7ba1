"""Gathering facts in a pool of processes. A run that looks at a few files needs none, and does not import this."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import Final

import guard.facts
from guard.facts import Gathering, Wanted, batches_of
from guard.sources.tree import Tree


def gather(
    wanted: Sequence[Wanted],
    tree: Tree,
    gathering: Gathering,
    jobs: int,
    each: Callable[[Sequence[tuple[str, bytes]]], None],
) -> dict[str, str]:
    """Gather facts for `wanted` in `jobs` processes; `each` is given every finished batch.

    Gives the keys whose content made the worker die (a parser that overflows its stack, say), with a message:
    the batch is tried again one file at a time, so that one such file costs only itself.
    """
    batches = batches_of(wanted)
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
            return guard.facts.gather_batch(batch, self._reader, self._gathering, self.end_if_stopped)
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
