"""The text format, by eye: `snapshots/` holds whole pages as they are printed at 80 columns."""

from __future__ import annotations

from pathlib import Path

import pytest
from report_samples import BILLING, NOTE, PROBLEMS, RUNTIME, STARTUP, finding, report
from rich.text import Text

from guard.model import Fix, Impact, Problem, Report, Severity, Span
from guard.report import RenderContext, render

SNAPSHOTS = Path(__file__).parent / "snapshots"
SOURCES = {"services/billing/app.py": BILLING}
MANY = report(
    STARTUP,
    *(
        finding(path=f"jobs/run_{number:02}.py", impact=Impact.RUNTIME, span=Span(number, 1), fingerprint=str(number))
        for number in range(1, 16)
    ),
    finding(code="IMP007", slug="silently-disabled", severity=Severity.WARNING, impact=Impact.TESTS),
    suppressed=2,
    baselined=1200,
)


def page(given: Report, **options: object) -> str:
    return render("text", given, RenderContext(sources=SOURCES, **options))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "given", "options"),
    [
        ("mixed", report(STARTUP, RUNTIME, NOTE), {}),
        ("problems", report(NOTE, files_analysed=41, problems=PROBLEMS), {}),
        ("many", MANY, {"limit": 2, "statistics": True}),
    ],
)
def test_page(name: str, given: Report, options: dict[str, object]) -> None:
    expected = (SNAPSHOTS / f"{name}.txt").read_text(encoding="utf-8")
    assert page(given, **options) == expected
    assert max(len(line) for line in expected.splitlines()) <= 80


def test_findings_of_one_place_share_their_frame() -> None:
    same = {"span": Span(1, 1, 1, 2), "cause": "It all breaks.", "fix": Fix("safe", "add the lines")}
    several = [finding(message=f"`{name}` is not pinned", help=f"Pin {name}.", **same) for name in "abc"]
    others = [finding(message="`d` is not pinned", help="Pin d.", cause="It breaks.", span=Span(1, 1, 1, 2))]
    lines = page(report(*several, *others)).splitlines()
    assert lines[2:10] == [
        "error IMP002 missing-name  services/billing/app.py:1:1",
        "  `a` is not pinned",
        "  `b` is not pinned",
        "  `c` is not pinned",
        "  1 | import os",
        "    | ^",
        "  2 |",
        "  3 | from billing.mail import InvoiceMailer, send",
    ]
    assert sum("import os" in line for line in lines) == 2
    assert [line for line in lines if "help:" in line] == ["  help: Pin d."]
    assert sum("fix: add the lines" in line for line in lines) == 1


@pytest.mark.parametrize(
    ("given", "line"),
    [
        (report(), "Clean: 42 files analysed of 42 found in 0.2 s.\n"),
        (
            report(suppressed=1, baselined=1200),
            "Clean: 42 files analysed of 42 found in 0.2 s; 1 suppressed; 1,200 in the baseline.\n",
        ),
        (report(files_found=0, files_analysed=0), "Nothing was analysed: 0 files analysed of 0 found in 0.2 s.\n"),
    ],
)
def test_without_findings_it_is_one_line(given: Report, line: str) -> None:
    assert page(given) == line


def test_never_clean_where_something_could_not_be_checked() -> None:
    fatal, noted = page(report(problems=PROBLEMS[:1])), page(report(problems=PROBLEMS[1:]))
    assert "Could not check everything: 1 problem;" in fatal
    assert "No findings:" in noted
    assert "Clean" not in fatal + noted


def test_colour_changes_no_character() -> None:
    colored = page(MANY, color=True)
    assert "\x1b[1;31merror\x1b[0m" in colored
    plain = [line.rstrip() for line in page(MANY).splitlines()]
    assert [line.rstrip() for line in Text.from_ansi(colored).plain.splitlines()] == plain


def test_without_a_limit_every_finding_is_shown() -> None:
    assert "more IMP002" not in page(MANY, limit=0)
    assert page(MANY, limit=0).count("error IMP002 missing-name") == 16
    assert page(MANY, limit=10).count("error IMP002 missing-name") == 11
    assert "… and 5 more IMP002 (guard check --select IMP002 --output concise)\n" in page(MANY, limit=10)


def test_what_stops_the_start_is_first_and_is_repeated_at_the_end() -> None:
    lines = page(MANY).splitlines()
    assert lines[0].startswith("== Stops the service from starting: 1 error =")
    assert "The service will not start:" in lines[-8:]
    assert "The service will not start:" not in page(report(RUNTIME, RUNTIME, RUNTIME, RUNTIME))


def test_a_warning_at_start_up_is_not_said_to_stop_it() -> None:
    text = page(report(finding(severity=Severity.WARNING)))
    assert text.startswith("== In code that runs when the service starts: 1 warning =")
    assert "will not start" not in text


def test_unsafe_fixes_are_told_apart() -> None:
    unsafe = finding(fix=Fix("unsafe", "drop it"))
    assert "  fix: drop it (guard check --fix --unsafe-fixes)\n" in page(report(unsafe))
    assert "\n--fix --unsafe-fixes mends 1.\n" in page(report(unsafe))
    assert "\n--fix mends 1, --fix --unsafe-fixes 1 more.\n" in page(report(unsafe, STARTUP))


def test_problems_of_one_kind_are_counted_behind_the_limit() -> None:
    given = report(problems=tuple(Problem(f"{number}.py", "unreadable", "no") for number in range(5)))
    assert "2.py" not in page(given, limit=2)
    assert "… and 3 more unreadable (guard check --output concise)\n" in page(given, limit=2)


def test_a_narrow_terminal_still_gets_whole_names() -> None:
    text = page(report(STARTUP, RUNTIME), width=10)
    assert "billing.delivery" in text
    assert "services/billing/app.py:3:26" in text
