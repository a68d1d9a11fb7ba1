"""Measures guard beside other tools on a tree, and holds the figures against the bars.

    python -m benchmarks.run [TREE]        (make bench TREE=…)

Every figure is that of whole processes, started afresh. After one round in which caches are filled and memory is
sampled, the subjects run in turn, round after round; a time is the median of the rounds.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks import subjects
from benchmarks.measure import Run, measure
from benchmarks.subjects import Bench, Subject
from benchmarks.synthetic import write_tree
from guard.model import GuardError

_FAST: Final = ("guard warm", "guard one file changed", "guard --version")
"""Subjects that are measured more often: they are short, so noise is a larger part of them."""


class Row(NamedTuple):
    """The figures of one subject."""

    name: str
    wall_s: float
    cpu_s: float
    peak_mb: float | None
    runs: int
    remark: str


class Bar(NamedTuple):
    """One bar: what is measured, the figure, and the most that it may be."""

    what: str
    measured: float | None
    limit: float
    unit: str

    @property
    def verdict(self) -> str:
        """`pass`, `FAIL`, or `-` where it could not be measured."""
        if self.measured is None:
            return "-"
        return "pass" if self.measured <= self.limit else "FAIL"


def main() -> int:
    """Measure and print. Gives 1 where a bar does not hold and `--strict` is given."""
    options = _options()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "guard-benchmarks"
    with tempfile.TemporaryDirectory(prefix="guard-bench-") as scratch:
        here = Path(scratch)
        tree = Path(options.tree).resolve() if options.tree else here / "tree"
        if not options.tree:
            _say(f"no tree is given: making one of about {options.files} files")
            tree.mkdir()
            write_tree(tree, options.files)
        bench = Bench(tree, here, subjects.python_files(tree), options.jobs)
        lines = sum((tree / path).read_bytes().count(b"\n") for path in bench.files)
        peers = options.peers
        tools, versions = subjects.install(peers, cache / "venv") if peers else (cache, {})
        _say(
            f"{len(bench.files):,} Python files, {lines:,} lines; Python {platform.python_version()}, {_cores()} cores"
        )
        for peer in peers:
            _say(f"{peer}: {versions.get(peer) or 'MISSING: it could not be installed'}")
        chosen = [*_own(bench), *(one for peer in versions for one in subjects.MAKERS[peer](bench, tools))]
        rows = {row.name: row for row in _measured(chosen, options.rounds, options.timeout, here)}
        growth = None if options.no_growth else _growth(here, options)
    bars = list(_bars(rows, growth))
    _print_table(rows)
    _print_bars(bars, on_reference_only=not options.tree)
    if options.json:
        Path(options.json).write_text(_as_json(rows, bars, versions, len(bench.files), lines) + "\n")
    return int(options.strict and any(bar.verdict == "FAIL" for bar in bars))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.run", description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("tree", nargs="?", help="the folder to check; a synthetic tree where none is given")
    parser.add_argument("--rounds", type=int, default=3, help="timed runs of each subject (default 3)")
    parser.add_argument("--files", type=int, default=800, help="files of the synthetic tree (default 800)")
    parser.add_argument("--peers", type=_peers, default=subjects.PEERS, help="of ruff,pyrefly,ty,mypy; '' for none")
    parser.add_argument("--jobs", type=int, default=0, help="processes of guard (default: its own choice)")
    parser.add_argument("--timeout", type=float, default=900, help="seconds for one run of one tool (default 900)")
    parser.add_argument("--no-growth", action="store_true", help="do not check how time grows with size")
    parser.add_argument("--strict", action="store_true", help="exit with 1 where a bar does not hold")
    parser.add_argument("--json", metavar="FILE", help="write the figures there too")
    return parser.parse_args()


def _peers(names: str) -> tuple[str, ...]:
    chosen = tuple(name for name in names.split(",") if name)
    unknown = sorted(set(chosen) - set(subjects.PEERS))
    if unknown:
        raise argparse.ArgumentTypeError(f"no such peer: {', '.join(unknown)}")
    return chosen


def _own(bench: Bench) -> list[Subject]:
    return [
        subjects.parse_only(bench),
        subjects.guard_cold(bench),
        subjects.guard_warm(bench),
        subjects.guard_one_changed(bench),
        subjects.guard_version(),
        *subjects.guard_many_findings(bench),
    ]


def _measured(chosen: Sequence[Subject], rounds: int, timeout_s: float, scratch: Path) -> Iterator[Row]:
    """Run everything in turn; the first round is for memory and caches. Ends the benchmark where guard itself fails."""
    runs: dict[str, list[Run]] = {subject.name: [] for subject in chosen}
    peaks: dict[str, float | None] = {}
    remarks: dict[str, str] = {}
    with (scratch / "output").open("w+b") as log:

        def run(subject: Subject, *, memory: bool = False) -> Run:
            subject.prepare()
            environment = {**os.environ, **subject.environment}
            # Where it is set, every run compiles its own modules anew, which nobody's installed tool does.
            environment.pop("PYTHONDONTWRITEBYTECODE", None)
            return measure(subject.command, subject.folder, environment, timeout_s, memory=memory, log=log)

        for number in range(rounds + 1):
            for subject in chosen:
                if subject.name in remarks:
                    continue
                _say(f"round {number} of {rounds}: {subject.name}")
                if number == 0 and subject.cached:
                    run(subject)
                done = run(subject, memory=number == 0)
                remark = _wrong(subject, done, timeout_s)
                if remark and subject.name.startswith("guard"):
                    raise SystemExit(f"{subject.name}: {remark}\n{done.output}")
                if remark:
                    remarks[subject.name] = remark
                if number == 0:
                    peaks[subject.name] = done.peak_mb
                else:
                    runs[subject.name].append(done)
                    for _ in range(4 if subject.name in _FAST else 0):
                        runs[subject.name].append(run(subject))
    for subject in chosen:
        timed = runs[subject.name]
        wall = statistics.median([one.wall_s for one in timed]) if timed else float("nan")
        cpu = statistics.median([one.cpu_s for one in timed]) if timed else float("nan")
        yield Row(subject.name, wall, cpu, peaks.get(subject.name), len(timed), remarks.get(subject.name, ""))


def _wrong(subject: Subject, done: Run, timeout_s: float) -> str:
    if done.timed_out:
        return f"did not end within {timeout_s:g} s"
    if done.status not in subject.good:
        last = done.output.strip().rpartition("\n")[2][-100:]
        return f"ended with {done.status}: {last}"
    return ""


def _growth(scratch: Path, options: argparse.Namespace) -> tuple[float, float] | None:
    """How many times the wall and the CPU time grow when a synthetic tree is twice as large."""
    chosen = []
    for name, files in (("guard on n files", options.files), ("guard on 2n files", 2 * options.files)):
        tree = scratch / name.replace(" ", "-")
        tree.mkdir()
        write_tree(tree, files)
        chosen.append(subjects.guard_cold(Bench(tree, scratch, (), options.jobs), name))
    small, large = _measured(chosen, options.rounds, options.timeout, scratch)
    return large.wall_s / small.wall_s, large.cpu_s / small.cpu_s


def _bars(rows: Mapping[str, Row], growth: tuple[float, float] | None) -> Iterator[Bar]:
    def figure(name: str, of: Callable[[Row], float | None]) -> float | None:
        row = rows.get(name)
        return of(row) if row is not None and (row.runs or name == "guard cold") and not row.remark else None

    def ratio(first: str, second: str, of: Callable[[Row], float | None]) -> float | None:
        one, other = figure(first, of), figure(second, of)
        return None if one is None or not other else one / other

    def beyond(first: str, second: str, of: Callable[[Row], float | None]) -> float | None:
        one, other = figure(first, of), figure(second, of)
        return None if one is None or other is None else one - other

    def wall(row: Row) -> float:
        return row.wall_s

    def cpu(row: Row) -> float:
        return row.cpu_s

    yield Bar("cold: CPU against ast.parse", ratio("guard cold", "ast.parse", cpu), 1.6, "x")
    yield Bar("cold: CPU against pyrefly", ratio("guard cold", "pyrefly", cpu), 0.5, "x")
    yield Bar("warm: wall", figure("guard warm", wall), 1.0, "s")
    yield Bar("warm: wall against mypy's warm run", ratio("guard warm", "mypy warm", wall), 1.0, "x")
    yield Bar("one file changed, staged: wall", figure("guard one file changed", wall), 0.6, "s")
    written = beyond("guard baseline write", "guard 10,000 findings", wall)
    yield Bar("10,000 into a baseline, beyond check", written, 1.0, "s")
    yield Bar("guard --version: wall", figure("guard --version", wall), 0.12, "s")
    yield Bar("cold: peak memory of all processes", figure("guard cold", lambda row: row.peak_mb), 1000, "MB")
    yield Bar("twice the files: wall", growth[0] if growth else None, 2.1, "x")
    yield Bar("twice the files: CPU", growth[1] if growth else None, 2.1, "x")


def _print_table(rows: Mapping[str, Row]) -> None:
    floor = rows["ast.parse"]
    print(f"\n{'':<26}{'wall s':>9}{'CPU s':>9}{'peak MB':>9}{'CPU x ast.parse':>17}{'wall x ast.parse':>18}  runs")
    for row in rows.values():
        figures = f"{row.name:<26}"
        if row.runs:
            figures += f"{row.wall_s:>9.3f}{row.cpu_s:>9.3f}"
            figures += f"{row.peak_mb:>9.0f}" if row.peak_mb else f"{'-':>9}"
            figures += f"{row.cpu_s / floor.cpu_s:>17.2f}{row.wall_s / floor.wall_s:>18.2f}{row.runs:>6}"
        print(f"{figures}  {row.remark}".rstrip())


def _print_bars(bars: Sequence[Bar], *, on_reference_only: bool) -> None:
    print(f"\n{'bar':<38}{'measured':>12}{'at most':>12}")
    for bar in bars:
        measured = "-" if bar.measured is None else f"{bar.measured:.2f} {bar.unit}"
        print(f"{bar.what:<38}{measured:>12}{f'{bar.limit:g} {bar.unit}':>12}  {bar.verdict}")
    if on_reference_only:
        print("\nThe bars were set for a monorepo of 8,061 files; on a small tree, starting up weighs more.")


def _as_json(rows: Mapping[str, Row], bars: Sequence[Bar], versions: Mapping[str, str], files: int, lines: int) -> str:
    return json.dumps(
        {
            "python": platform.python_version(),
            "cores": _cores(),
            "files": files,
            "lines": lines,
            "versions": dict(versions),
            "subjects": [row._asdict() for row in rows.values() if row.runs or row.remark],
            "bars": [{**bar._asdict(), "verdict": bar.verdict} for bar in bars],
        },
        indent=2,
    )


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except GuardError as error:
        sys.exit(f"benchmarks: {error}")
