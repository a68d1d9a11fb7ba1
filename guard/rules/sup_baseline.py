"""SUP004: entries of the baseline that no finding has any more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from guard.model import Fix, Gate, Severity, Span, Violation
from guard.registry import rule

if TYPE_CHECKING:
    from guard.baseline import Entry, Placed
    from guard.program import Program


@rule(
    "SUP004",
    "stale-baseline-entry",
    Severity.WARNING,
    gates=(Gate.PRE_COMMIT, Gate.CI),
    fixable="safe",
    impact_aware=False,
)
def stale_baseline_entry(_program: Program) -> Iterator[Violation]:
    """An entry of the baseline that no finding has any more.

    ## What it does
    Reports each entry of the configured `baseline` that left no finding out: what it stood for was mended, or its file
    is gone. Only entries of rules that ran are judged, and only those of files that could be checked. Entries of a
    file that was moved go along with it. `--fix` and `guard baseline prune` remove what is reported.

    It is judged when all other rules are through, by `guard.baseline`.

    ## What breaks in production
    The entry outlives the defect. When the same defect comes back, nobody hears of it.

    ## Bad
    `guard.toml`:

    ```toml
    baseline = "known.jsonl"
    ```

    `known.jsonl`:

    ```text
    {"path":"app.py","code":"IMP002","fingerprint":"0123456789abcdef01234567"}
    ```

    ```expect
    known.jsonl:1 SUP004
    ```

    ## Good
    `guard.toml`:

    ```toml
    baseline = "known.jsonl"
    ```

    `known.jsonl`:

    ```text
    ```

    ## Configuration
    `baseline` names the file.

    ## What it cannot see
    Entries of rules that are not on. A file that was deleted while a file without entries got all of its findings
    counts as moved.
    """
    return iter(())


def anchor_of(entry: Entry) -> str:
    """What a finding on an entry is told apart from others by."""
    return f"{entry.path} {entry.code} {entry.fingerprint}"


def stale(program: Program, entries: Iterable[Placed]) -> Iterator[Violation]:
    """What to say of each stale entry."""
    path = program.config.baseline
    for placed in entries:
        entry = placed.entry
        yield Violation(
            path=path,
            span=Span(placed.line, 1, placed.line, 1),
            message=f"no {entry.code} is left in {entry.path} that this entry stands for",
            anchor=anchor_of(entry),
            cause="When the same defect comes back, nobody hears of it.",
            help="guard baseline prune",
            fix=Fix("safe", "Remove the entry."),
        )
