"""What is shown of a session while it runs: a table on a terminal, lines elsewhere and in CI."""

from __future__ import annotations

import io
import sys

import pytest
from rich.console import Console

from guard.cli.loop_watch import LiveTable, LogLines, watcher
from guard.runner.plan import Plan
from guard.runner.record import Outcome, Session, Step, Test, TestOutcome, Verdict

HOSTILE = "[bold]\x1b[2J\r\n\u202etset[/red]"


def session(*steps: Step, target: str = "staging") -> Session:
    return Session(
        id="s1", plan=Plan(), target=target, verdict=Verdict.RUNNING, tree="", started=0, cycles=1, steps=steps
    )


def step(name: str, outcome: Outcome, summary: str) -> Step:
    return Step(name=name, cycle=1, outcome=outcome, started=10, ended=12.5, summary=summary)


def ran(name: str, outcome: TestOutcome) -> Test:
    return Test(id=name, phase="p", cycle=1, outcome=outcome, started=0, duration_s=1)


def drawn(table: LiveTable, width: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width, record=True, force_terminal=True, color_system=None)
    console.print(table)
    return console.export_text().splitlines()


@pytest.mark.parametrize("width", [80, 120])
def test_the_table_has_the_steps_and_what_runs(width: int) -> None:
    done = step("guards", Outcome.OK, "42 files, no findings")
    table = LiveTable(session(done))
    table.begun(session(done), "phase:chat", 1)
    for name, outcome in (("t::a", TestOutcome.PASSED), ("t::b", TestOutcome.PASSED), ("t::c", TestOutcome.FAILED)):
        table.test(ran(name, outcome))
    lines = drawn(table, width)
    assert max(map(len, lines)) <= width
    assert "session s1 on staging" in lines[0]
    assert ["outcome" in line and "seconds" in line for line in lines].count(True) == 1
    said = [" ".join(line.replace("│", " ").split()) for line in lines]
    assert "guards ok 2.5 42 files, no findings" in said
    running = next(line for line in said if line.startswith("phase:chat … "))
    assert running.endswith(" 1 failed, 2 passed")
    assert said[-1] == "failed t::c"


def test_a_step_that_has_ended_runs_no_more() -> None:
    table = LiveTable(session())
    table.begun(session(), "health", 1)
    ended = step("health", Outcome.FAILED, "HTTP down")
    table.ended(session(ended), ended)
    lines = drawn(table, 80)
    assert [line for line in lines if "health" in line] == [line for line in lines if "HTTP down" in line]


@pytest.mark.parametrize("width", [20, 80, 120])
def test_hostile_names_break_nothing(width: int) -> None:
    ended = step(HOSTILE, Outcome.OK, HOSTILE * 50)
    table = LiveTable(session(ended, target=HOSTILE))
    table.begun(session(ended, target=HOSTILE), HOSTILE, 1)
    table.line(HOSTILE * 50)
    table.test(ran(HOSTILE * 50, TestOutcome.FAILED))
    lines = drawn(table, width)
    assert max(map(len, lines)) <= width
    text = "\n".join(lines)
    assert not {"\x1b", "\r", "\u202e"} & set(text)
    assert "[bold]" in text or width == 20, "it is shown as it is, not taken for a style"


class Terminal(io.StringIO):
    """Says that it is one."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("ci", "term", "kind"),
    [
        ("", "xterm", LiveTable),
        ("false", "xterm", LiveTable),
        ("true", "xterm", LogLines),
        ("1", "xterm", LogLines),
        ("", "dumb", LogLines),
    ],
)
def test_in_ci_it_is_lines_though_there_is_a_terminal(
    monkeypatch: pytest.MonkeyPatch, ci: str, term: str, kind: type
) -> None:
    monkeypatch.setenv("CI", ci)
    monkeypatch.setenv("TERM", term)
    for name in ("FORCE_COLOR", "TTY_INTERACTIVE", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "stderr", Terminal())
    with watcher(session()) as watching:
        assert isinstance(watching, kind)


def test_lines_hold_no_colours_and_no_control_characters(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    lines = LogLines(session(target=HOSTILE))
    lines.begun(session(), HOSTILE, 1)
    lines.line(HOSTILE)
    lines.test(ran(HOSTILE, TestOutcome.FAILED))
    ended = step(HOSTILE, Outcome.FAILED, HOSTILE)
    lines.ended(session(ended), ended)
    said = capsys.readouterr().err
    assert said.count("\n") == 5
    assert not {"\x1b", "\r", "\u202e"} & set(said)
