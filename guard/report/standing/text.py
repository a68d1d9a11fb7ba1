"""`text`, the default: what a person reads in the log of CI."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from guard.census import Area
from guard.report.context import RenderContext
from guard.report.escape import cells, shortened, visible, wrapped
from guard.report.paint import SEVERITY_STYLE, Paint, painter
from guard.report.standing import words
from guard.report.tally import counted
from guard.scoring.model import Appraisal, Comparison, Point, Standing

_NARROWEST: Final = 60
_PACKAGES: Final = 12
_CHANGES: Final = 10
_UNREAD: Final = 10
_BAR: Final = 40

Row = tuple[str, ...]


def render(appraisal: Appraisal, context: RenderContext) -> str:
    """Score and grade, what they are made of, what was not analysed, what would raise them the most."""
    paint, width = painter(context.color), min(max(context.width, _NARROWEST), 120)
    standing = appraisal.standing
    style = {"A": "bold green", "B": "bold green", "C": "bold yellow"}.get(standing.grade, "bold red")
    label = f"  {visible(appraisal.report.tree_label)}" if appraisal.report.tree_label else ""
    lines = [paint(f"guard report: {words.headline(appraisal)}", style) + label]
    lines += wrapped(f"{words.extent(standing)}.", width)
    lines.append("")
    lines += _categories(standing, paint, width)
    lines += _comparison(appraisal.comparison, standing, paint, width)
    lines += _not_analysed(standing, paint, width)
    lines += _lifts(standing, paint, width)
    lines += _packages(standing, paint)
    lines += _history(appraisal.history, paint)
    lines += wrapped(words.formula(standing), width)
    lines += wrapped(words.grades(standing), width)
    for note in appraisal.notes:
        lines += wrapped(note, width, "note: ", "    ")
    fatal = [problem for problem in appraisal.report.problems if problem.fatal]
    for problem in fatal[:_UNREAD]:
        place = f"{visible(problem.path)}: " if problem.path else ""
        lines += [
            paint(line, "bold red") for line in wrapped(problem.message, width, f"could not check: {place}", "    ")
        ]
    if len(fatal) > _UNREAD:
        lines.append(paint(f"could not check: {counted(len(fatal) - _UNREAD, 'more place')}", "bold red"))
    for failure in appraisal.failures:
        lines += [paint(line, "bold red") for line in wrapped(failure, width, "failed: ", "    ")]
    return "".join(f"{line}\n" for line in lines)


def _heading(text: str, paint: Paint, width: int) -> str:
    return paint(f"== {text} " + "=" * max(2, width - cells(text) - 4), "bold")


def _categories(standing: Standing, paint: Paint, width: int) -> list[str]:
    rows: list[Row] = [("category", "weight", "score", "lost", *Area, "errors", "warnings")]
    rows += [
        (
            one.category.label,
            str(one.weight),
            words.figure(one.share),
            words.figure(words.lost(standing, one.share, one.weight)),
            *(words.area_share(one.areas.get(area)) for area in Area),
            f"{one.errors:,}",
            f"{one.warnings:,}",
        )
        for one in standing.categories
    ]
    lines = _aligned(rows, paint, left=1)
    for text in words.absent(standing):
        lines += wrapped(text, width, "  not in the score: ", "      ")
    for text in words.set_aside(standing):
        lines += wrapped(text, width, "  ", "      ")
    return [*lines, ""]


def _comparison(comparison: Comparison | None, standing: Standing, paint: Paint, width: int) -> list[str]:
    if comparison is None:
        return []
    lines = [_heading(f"Since {visible(comparison.since.rev)}", paint, width), ""]
    lines += wrapped(f"{words.compared(comparison, standing.score)}.", width)
    for title, findings in (("new", comparison.new), ("fixed", comparison.fixed)):
        for finding in words.by_weight(findings, _CHANGES):
            style = SEVERITY_STYLE[finding.severity] if title == "new" else "green"
            text = f"{finding.severity} {finding.code} {visible(words.place_of(finding))} {visible(finding.message)}"
            lines.append(f"  {paint(title, style)} {shortened(text, width - 8)}")
        if len(findings) > _CHANGES:
            lines.append(f"  … and {len(findings) - _CHANGES:,} more {title}")
    return [*lines, ""]


def _not_analysed(standing: Standing, paint: Paint, width: int) -> list[str]:
    told = words.unread(standing)
    if not told:
        return []
    lines = [_heading("Not analysed, and counted as not clean", paint, width), ""]
    for text in told:
        lines += wrapped(text, width, "  ", "      ")
    for one in standing.unread[:_UNREAD]:
        lines.append(f"    {shortened(visible(one.path), width - 4)}")
    if len(standing.unread) > _UNREAD:
        lines.append(f"    … and {len(standing.unread) - _UNREAD:,} more")
    return [*lines, ""]


def _lifts(standing: Standing, paint: Paint, width: int) -> list[str]:
    if not standing.lifts:
        return []
    lines = [_heading("What raises the score most when it alone is mended", paint, width), ""]
    gains = [words.gain(lift.gain) for lift in standing.lifts]
    column = max(map(len, gains))
    for lift, gained in zip(standing.lifts, gains, strict=True):
        first = lift.findings[0]
        head = f"  {paint(gained.rjust(column), 'bold')}  "
        told = wrapped(words.what_of(lift), width - column - 4, f"{first.code} ", "")
        lines.append(head + told[0])
        lines += [" " * (column + 4) + line for line in told[1:]]
        where = f"{words.where_of(lift)}: {visible(words.place_of(first))}"
        lines.append(" " * (column + 4) + paint(shortened(where, width - column - 4), "cyan"))
    return [*lines, ""]


def _packages(standing: Standing, paint: Paint) -> list[str]:
    shown = words.costly(standing, _PACKAGES)
    if len(standing.packages) < 2:
        return []
    rows: list[Row] = [("package", "files", "lines", "score", "costs", "errors", "warnings")]
    for one in shown:
        counts = (f"{one.files:,}", f"{one.lines:,}", words.figure(one.share))
        rows.append(
            (shortened(visible(one.name), 40), *counts, words.costs(one.costs), f"{one.errors:,}", f"{one.warnings:,}")
        )
    lines = _aligned(rows, paint, left=1)
    if len(standing.packages) > len(shown):
        lines.append(f"  … and {counted(len(standing.packages) - len(shown), 'more package')}")
    return [*lines, ""]


def _history(history: Sequence[Point], paint: Paint) -> list[str]:
    if not history:
        return []
    low, high = words.scale(history)
    rows: list[Row] = [("committed", "commit", "score", "change", "findings ", f"{low} to {high} points")]
    before = history[0].score
    for point, bar in zip(history, words.bars(history, _BAR), strict=True):
        changed = words.signed(point.score - before) if point is not history[0] else ""
        before = point.score
        found = f"{point.errors + point.warnings:,}{' ' if point.read else '*'}"
        rows.append((point.date[:10], point.commit[:10], words.figure(point.score), changed, found, bar))
    lines = _aligned(rows, paint, left=2, last_left=True)
    if not all(point.read for point in history):
        lines.append("  * not everything could be read there")
    return [*lines, ""]


def _aligned(rows: Sequence[Row], paint: Paint, left: int, *, last_left: bool = False) -> list[str]:
    """A table with its first row as heads; the first `left` columns, and the last if so told, stand to the left."""
    widths = [max(map(cells, column)) for column in zip(*rows, strict=True)]
    lines = []
    for number, row in enumerate(rows):
        padded = []
        for column, (cell, size) in enumerate(zip(row, widths, strict=True)):
            space = " " * (size - cells(cell))
            to_left = column < left or (last_left and column == len(row) - 1)
            padded.append(cell + space if to_left else space + cell)
        line = f"  {'  '.join(padded)}".rstrip()
        lines.append(line if number else paint(line, "bold"))
    return lines
