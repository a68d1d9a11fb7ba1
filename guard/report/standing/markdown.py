"""`markdown`: a job summary, or a comment on a pull request that is found again by its first line and updated."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from guard.census import Area
from guard.model import WHOLE_FILE, Finding, Problem
from guard.report.context import RenderContext
from guard.report.escape import visible
from guard.report.markdown_page import Page, as_text
from guard.report.standing import words
from guard.report.tally import counted
from guard.scoring.model import Appraisal, CategoryScore, Comparison, Lift, PackageScore, Point, Standing

MARKER: Final = "<!-- guard-report -->"
"""The first line, which no reader sees: whoever updates a comment finds it by this."""
_STRUCTURE: Final = 9_000
"""Characters kept for all that is no row of a table: the formula with every weight, headings, names of rules."""
_CHANGES: Final = 50
_PACKAGES: Final = 40
_BAR: Final = 30


def render(appraisal: Appraisal, context: RenderContext) -> str:
    """Score, categories and what raises the score the most; the rest folded away.

    At most `context.markdown_chars` long (some ten thousand is the least that makes sense); rows that do not fit are
    counted.
    """
    standing = appraisal.standing
    page = Page(context.markdown_chars - _STRUCTURE)
    page.add(MARKER, "", f"## guard report: {words.headline(appraisal)}", "")
    for failure in appraisal.failures:
        page.add(f"**Failed:** {as_text(failure)}.", "")
    if appraisal.comparison is not None:
        page.add(f"**{as_text(words.compared(appraisal.comparison, standing.score))}.**", "")
    page.table(_CATEGORY_HEAD, (_category_row(standing, one) for one in standing.categories), len(standing.categories))
    fatal = [problem for problem in appraisal.report.problems if problem.fatal]
    if fatal:
        page.add(f"#### Could not be checked: {counted(len(fatal), 'problem')}", "")
        page.table(("| kind | path | what |", "|---|---|---|"), map(_problem_row, fatal), len(fatal))
    not_analysed = words.unread(standing)
    if not_analysed:
        page.add("Not analysed, and counted as not clean:", "")
        page.add(*(f"- {as_text(text)}" for text in not_analysed), "")
    if appraisal.comparison is not None:
        _changes(page, appraisal.comparison)
    if standing.lifts:
        page.add("#### What raises the score most when it alone is mended", "")
        page.table(
            ("| points | rule | what | where |", "|--:|---|---|---|"),
            map(_lift_row, standing.lifts),
            len(standing.lifts),
        )
    _fold_packages(page, standing)
    _fold_history(page, appraisal.history)
    _fold_formula(page, appraisal)
    return page.text()


_CATEGORY_HEAD: Final = (
    f"| category | weight | score | lost | {' | '.join(Area)} | errors | warnings |",
    f"|---|--:|--:|--:|{'--:|' * len(Area)}--:|--:|",
)


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _category_row(standing: Standing, one: CategoryScore) -> str:
    areas = (words.area_share(one.areas.get(area)) for area in Area)
    lost = words.figure(words.lost(standing, one.share, one.weight))
    score = f"**{words.figure(one.share)}**"
    return _row(one.category.label, str(one.weight), score, lost, *areas, f"{one.errors:,}", f"{one.warnings:,}")


def _problem_row(problem: Problem) -> str:
    return _row(problem.kind, f"<code>{as_text(problem.path)}</code>", as_text(problem.message))


def _place(finding: Finding) -> str:
    line = "" if finding.span.closed() == WHOLE_FILE else f":{finding.span.line}"
    return f"<code>{as_text(visible(finding.path) + line)}</code>"


def _changes(page: Page, comparison: Comparison) -> None:
    """What is new and what is fixed, folded away."""
    for title, findings in (("new", comparison.new), ("fixed", comparison.fixed)):
        if findings:
            shown = words.by_weight(findings, _CHANGES)
            summary = counted(len(findings), f"{title} finding")
            page.fold(
                summary, ("| | rule | place | what |", "|---|---|---|---|"), map(_change_row, shown), len(findings)
            )


def _change_row(finding: Finding) -> str:
    return _row(finding.severity, f"{finding.code} {finding.slug}", _place(finding), as_text(finding.message))


def _lift_row(lift: Lift) -> str:
    first = lift.findings[0]
    where = _place(first)
    if len(lift.findings) > 1:
        where = f"{words.where_of(lift)}, the first: {where}"
    return _row(words.gain(lift.gain), first.code, as_text(words.what_of(lift)), where)


def _fold_packages(page: Page, standing: Standing) -> None:
    if len(standing.packages) < 2:
        return
    shown = words.costly(standing, _PACKAGES)
    head = ("| package | files | lines | score | costs | errors | warnings |", "|---|--:|--:|--:|--:|--:|--:|")
    page.fold(counted(len(standing.packages), "package"), head, map(_package_row, shown), len(standing.packages))


def _package_row(one: PackageScore) -> str:
    return _row(
        f"<code>{as_text(one.name)}</code>",
        f"{one.files:,}",
        f"{one.lines:,}",
        words.figure(one.share),
        words.costs(one.costs),
        f"{one.errors:,}",
        f"{one.warnings:,}",
    )


def _fold_history(page: Page, history: Sequence[Point]) -> None:
    if not history:
        return
    low, high = words.scale(history)
    head = (f"| committed | commit | score | findings | {low} to {high} points |", "|---|---|--:|--:|---|")
    page.fold(f"The score over {counted(len(history), 'commit')}", head, _history_rows(history), len(history))


def _history_rows(history: Sequence[Point]) -> Iterator[str]:
    for point, bar in zip(history, words.bars(history, _BAR), strict=True):
        found = f"{point.errors + point.warnings:,}{'' if point.read else ' (not everything could be read)'}"
        commit = f"<code>{point.commit[:10]}</code> {as_text(point.subject)}"
        yield _row(point.date[:10], commit, words.figure(point.score), found, f"<code>{bar}</code>")


def _fold_formula(page: Page, appraisal: Appraisal) -> None:
    standing = appraisal.standing
    page.add("<details><summary>How the score is made, and what is not in it</summary>", "")
    page.add(f"{words.extent(standing)}.", "", words.formula(standing), "", words.grades(standing), "")
    lines = [f"Not in the score: {text}" for text in words.absent(standing)]
    lines += [text[0].upper() + text[1:] for text in words.set_aside(standing)]
    lines += list(appraisal.notes)
    page.add(*(f"- {as_text(line)}." for line in lines), "", "</details>", "")
