"""`markdown`: the session log, for people, an issue or a repository."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from guard.report.escape import shortened, visible
from guard.report.session.content import Content, Result, bounded, content, counts_of, dry_run, duration, fresh, moment
from guard.report.tally import counted
from guard.runner.known import IssueState
from guard.runner.record import Cause, Evidence, Option, Outcome, Session, Step, Test, TestOutcome

_SPECIAL: Final = str.maketrans({char: f"&#{ord(char)};" for char in "&<>|`*_~[]\\\u200b"})
_WITHIN: Final = re.compile("(?<=[A-Za-z0-9])_+(?=[A-Za-z0-9])")
"""Underscores that begin and end nothing."""
_MENTION: Final = re.compile(r"@|#(?=\d)")
_CELL: Final = 300
"""Columns of a text in a table or a sentence."""
_ROWS: Final = 200
"""Rows of a table at the most."""
_EVIDENCE: Final = 1_500
"""Characters of one piece of evidence."""
_MARKS: Final = {"ok": "✓", "met": "✓", "passed": "✓", "skipped": "–", "not run": "–", "unproven": "?", "flaky": "?"}


def render(session: Session, earlier: Sequence[Session]) -> str:
    """The whole session log."""
    page = content(session, earlier)
    return _joined(
        [
            *summary_lines(page),
            *_next_lines(page),
            *_cause_lines(page),
            *_failure_lines(page),
            *_stability_lines(session),
            *_audit_lines(session),
            *_known_lines(page),
            *_timeline_lines(session),
            *_selection_lines(page),
        ]
    )


def summary_lines(page: Content) -> Iterator[str]:
    """The head of a page: verdict, header, results."""
    session = page.session
    yield f"# {'✓' if page.good else '✗'} Session {escape(session.id)}: {escape(page.headline)}"
    yield ""
    yield from table(("", ""), ((f"**{label}**", escape(value)) for label, value in page.header), 100)
    for result in page.results:
        yield from _result_lines(result)


def issue_text(page: Content) -> str:
    """The head of a page, what is to be done, and why it failed: the body of the session's issue."""
    known = _known_lines(page)
    return _joined(
        [*summary_lines(page), *_next_lines(page), *_cause_lines(page), *_stability_lines(page.session), *known]
    )


def cycle_text(session: Session, cycle: int) -> str:
    """One cycle, as a comment on the session's issue."""
    steps = [step for step in session.steps if step.cycle == cycle]
    tests = [test for test in session.tests if test.cycle == cycle]
    causes = [cause for cause in session.causes if cause.id.startswith(f"{cycle}-")]
    lines = [f"### Cycle {cycle}: {counts_of(tests)}", "", *_step_table(steps)]
    shown: set[Evidence] = set()
    for cause in causes:
        lines += _one_cause(cause, 4, shown)
    return _joined(lines)


def _result_lines(result: Result) -> Iterator[str]:
    state = result.outcome or "not run"
    yield f"## {_MARKS.get(state, '✗')} Phase {escape(result.name)}: {result.counts}"
    yield ""
    about = [part for part in (result.priority, f"at risk: {result.at_risk}" if result.at_risk else "", state) if part]
    if result.left_out:
        about[-1] = result.left_out
    elif result.took_s:
        about.append(duration(result.took_s))
    yield f"{escape('; '.join(about))}"
    yield ""
    if result.criteria:
        rows = (
            (
                f"{_MARKS.get(one.outcome, '✗')} {one.outcome}",
                code(one.expression),
                escape(one.value),
                escape(one.message),
            )
            for one in result.criteria
        )
        yield from table(("criterion", "expression", "measured", ""), rows, len(result.criteria))
    bad = [test for test in result.tests if test.outcome is not TestOutcome.PASSED]
    good = [test for test in result.tests if test.outcome is TestOutcome.PASSED]
    head = ("", "test", "time", "connected to", "what")
    if bad:
        yield from table(head, map(_test_row, bad), len(bad))
    if good:
        yield f"<details><summary>{counted(len(good), 'test')} passed</summary>"
        yield ""
        yield from table(head, map(_test_row, good), len(good))
        yield "</details>"
        yield ""


def _test_row(test: Test) -> tuple[str, ...]:
    what = " ".join(part for part in (test.exception, test.message) if part)
    if test.cause:
        what = f"{what} (cause {test.cause})".strip()
    return (
        f"{_MARKS.get(test.outcome, '✗')} {test.outcome}",
        code(test.id),
        duration(test.duration_s),
        escape(", ".join(test.peers)),
        escape(what),
    )


def _next_lines(page: Content) -> Iterator[str]:
    if page.next_steps:
        yield "## Next steps"
        yield ""
        for one in page.next_steps:
            yield f"1. {escape(one.text)}{f': {code(one.command)}' if one.command else ''}"
        yield ""


def _cause_lines(page: Content) -> Iterator[str]:
    if page.causes:
        yield "## Causes"
        yield ""
        shown: set[Evidence] = set()
        for cause in page.causes:
            yield from _one_cause(cause, 3, shown)
    if page.past_causes:
        yield "## Causes of earlier cycles"
        yield ""
        for cause in page.past_causes:
            yield f"- {escape(f'{cause.id} {cause.kind}: {cause.summary}')}"
        yield ""


def _one_cause(cause: Cause, level: int, shown: set[Evidence]) -> Iterator[str]:
    yield f"{'#' * level} {escape(f'{cause.id} ({cause.rank}), {cause.kind}: {cause.summary}')}"
    yield ""
    if cause.tests:
        more = len(cause.tests) - 5
        named = ", ".join(map(code, cause.tests[:5])) + (f" and {more:,} more" if more > 0 else "")
        yield f"{counted(len(cause.tests), 'test')}: {named}"
        yield ""
    for evidence in fresh(cause.evidence, shown):
        yield from _evidence_lines(evidence)
    for number, why in enumerate(cause.whys, 1):
        yield f"**Why {number}. {escape(why.question)}** {escape(why.answer) or '*open: no evidence reaches this far*'}"
        yield ""
        for evidence in fresh(why.evidence, shown):
            yield from _evidence_lines(evidence)
    yield f"Rule that should have caught it: {code(cause.rule) if cause.rule else 'there is none'}."
    if cause.gate:
        yield f"Gate: {escape(cause.gate)}."
    yield ""
    if cause.options:
        yield from table(("option", "run", "dry run"), map(_option_row, cause.options), len(cause.options))


def _option_row(option: Option) -> tuple[str, ...]:
    return (
        escape(f"{option.kind}: {option.title}"),
        code(option.command) if option.command else "",
        escape(dry_run(option)),
    )


def _evidence_lines(evidence: Evidence) -> Iterator[str]:
    yield escape(f"{evidence.source}{f', {evidence.place}' if evidence.place else ''}:")
    yield ""
    yield from fenced(bounded(evidence.text, _EVIDENCE))


def _failure_lines(page: Content) -> Iterator[str]:
    if not page.failures:
        return
    yield "## Output of tests that did not pass"
    yield ""
    for test in page.failures:
        yield f"<details><summary>{escape(f'{test.outcome}: {test.id}')}</summary>"
        yield ""
        for text in (test.output, test.stacks):
            if text:
                yield from fenced(bounded(text))
        yield "</details>"
        yield ""
    if page.more_failures:
        yield f"… and {page.more_failures:,} more; `guard loop show` has them."
        yield ""


def _stability_lines(session: Session) -> Iterator[str]:
    found = session.stability
    if found is None:
        return
    against = f" against {escape(found.compared_with)}" if found.compared_with else ""
    yield f"## Stability: {found.score:.2f}{against}"
    yield ""
    yield escape(found.formula)
    yield ""
    rows = ((one.kind, code(one.subject), escape(one.before), escape(one.after)) for one in found.changes)
    yield from table(("change", "what", "before", "now"), rows, len(found.changes))
    latencies = (
        (code(one.name), str(one.values), _numbers(one.before), _numbers(one.after)) for one in found.latencies
    )
    head = ("latency", "values", "p50 / p95 / p99 before", "now, in ms")
    yield from table(head, latencies, len(found.latencies))


def _numbers(values: Iterable[float]) -> str:
    return " / ".join(f"{value:,.0f}" for value in values)


def _audit_lines(session: Session) -> Iterator[str]:
    found = session.audit
    if found is None:
        return
    yield f"## Audit: {counted(sum(found.findings.values()), 'finding')}, {counted(found.problems, 'problem')}"
    yield ""
    told = f"{found.files_analysed:,} of {counted(found.files_found, 'file')} analysed"
    if found.compared_with:
        told += f"; against {found.compared_with}: {len(found.new):,} new, {found.fixed:,} gone"
    yield f"{escape(told)}."
    yield ""
    yield from table(
        ("rule", "findings"), ((code(k), f"{v:,}") for k, v in found.findings.items()), len(found.findings)
    )


def _known_lines(page: Content) -> Iterator[str]:
    if not page.known:
        return
    still = sum(issue.state is IssueState.OPEN for issue in page.known)
    gone = sum(issue.state is IssueState.RESOLVED for issue in page.known)
    yield f"## Known issues: {still:,} open, {gone:,} resolved since"
    yield ""
    rows = (
        (issue.state, escape(f"{issue.kind}: {issue.summary}"), escape(issue.first), escape(issue.last))
        for issue in page.known
    )
    yield from table(("", "issue", "first seen", "last seen"), rows, len(page.known))


def _timeline_lines(session: Session) -> Iterator[str]:
    yield "## Timeline"
    yield ""
    yield from _step_table(session.steps)
    for step in session.steps:
        if step.outcome is not Outcome.OK and step.evidence and not step.name.startswith("phase:"):
            yield escape(f"Cycle {step.cycle}, {step.name}:")
            yield ""
            for evidence in step.evidence[:3]:
                yield from _evidence_lines(evidence)


def _step_table(steps: Sequence[Step]) -> Iterator[str]:
    rows = (
        (
            moment(step.started),
            str(step.cycle),
            escape(step.name),
            f"{_MARKS.get(step.outcome, '✗')} {step.outcome}",
            duration(step.ended - step.started),
            escape(step.summary),
        )
        for step in steps
    )
    yield from table(("started", "cycle", "step", "outcome", "took", ""), rows, len(steps))


def _selection_lines(page: Content) -> Iterator[str]:
    if not page.selection:
        return
    yield f"## Selection: {counted(len(page.session.selection), 'test')}"
    yield ""
    for reason, members in page.selection:
        shown = ", ".join(code(one.id) for one in members[:5])
        more = f" and {len(members) - 5:,} more" if len(members) > 5 else ""
        yield f"- {escape(reason)}: {shown}{more}"
    yield ""


def table(head: Sequence[str], rows: Iterable[Sequence[str]], total: int) -> Iterator[str]:
    """A table of at most 200 of its rows; nothing where there is none."""
    if not total:
        return
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for number, row in enumerate(rows):
        if number == _ROWS:
            break
        yield f"| {' | '.join(row)} |"
    yield ""
    if total > _ROWS and head != ("", ""):
        yield f"… and {total - _ROWS:,} more"
        yield ""


_ENDS_CODE: Final = re.compile(r"[`|\\\n]")


def escape(text: str) -> str:
    """`text` as itself, on one line: no markup, no HTML, no table cell, no mention of a person or an issue."""
    # `visible` leaves no zero-width space, so each one here keeps a sign from what follows it.
    shown = _MENTION.sub("\\g<0>\u200b", shortened(visible(text), _CELL))
    parts = _WITHIN.split(shown)
    kept = [*_WITHIN.findall(shown), ""]
    return "".join(part.translate(_SPECIAL) + underscores for part, underscores in zip(parts, kept, strict=True))


def code(text: str) -> str:
    """`text` as code. Between backquotes, which terminals show as well as browsers, where nothing in it could end them
    or a cell of a table."""
    shown = shortened(visible(text), _CELL)
    if shown and shown == shown.strip() and not _ENDS_CODE.search(shown):
        return f"`{shown}`"
    return f"<code>{escape(text)}</code>"


def fenced(text: str) -> Iterator[str]:
    """A block of literal text; the fence is longer than any in it."""
    lines = [visible(line) for line in text.splitlines()]
    longest = max((len(run) for line in lines for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    yield f"{fence}text"
    yield from lines
    yield fence
    yield ""


def _joined(lines: Iterable[str]) -> str:
    return "\n".join(lines).rstrip("\n") + "\n"
