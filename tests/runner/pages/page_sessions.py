"""Sessions that the tests of the pages render: a good one, a failed one, and a large one."""

from __future__ import annotations

import msgspec

from guard.runner.plan import Phase, Plan, Target
from guard.runner.record import (
    Audit,
    Cause,
    CauseKind,
    Change,
    Criterion,
    Evidence,
    Goal,
    Option,
    Outcome,
    Selected,
    Session,
    Stability,
    Step,
    Test,
    TestOutcome,
    Verdict,
    Why,
)

START = 1_790_000_000.0
TRACEBACK = """Traceback (most recent call last):
  File "tests/e2e/test_chat.py", line 31, in test_five_events
    assert [event["type"] for event in events] == FIVE
AssertionError: assert ['agent_started', 'agent_completed'] == ['agent_started', ...]"""


def plan() -> Plan:
    """Two phases."""
    return Plan(
        mission="Get the chat through staging",
        target=Target(name="staging", base_url="https://chat.example"),
        phases=(
            Phase(
                name="websocket events",
                tests=("tests/e2e/test_chat.py",),
                priority="P0",
                at_risk="$80K MRR: users leave when the chat is silent",
                criteria=("pass_rate == 1.0", "p95(response_ms) < 2000"),
            ),
            Phase(name="agents", tests=("tests/e2e/test_agents.py",)),
        ),
    )


def step(name: str, at: float, took: float, outcome: Outcome = Outcome.OK, cycle: int = 1, **more: object) -> Step:
    """A step that began `at` seconds after the session."""
    made = Step(name=name, cycle=cycle, outcome=outcome, started=START + at, ended=START + at + took)
    return msgspec.structs.replace(made, **more)


def good(name: str = "s2", started: float = START) -> Session:
    """Everything passed, after a good session `s1`."""
    tests = tuple(
        Test(
            id=f"tests/e2e/test_{phase}.py::test_{name}",
            phase=group,
            cycle=1,
            outcome=TestOutcome.PASSED,
            started=started + 20 + number,
            duration_s=0.25 + number,
            peers=("chat.example:443",),
            bytes_sent=1_200,
            bytes_received=48_000,
            measurements={"response_ms": (310.5, 420)},
        )
        for number, (phase, group, name) in enumerate(
            [
                ("chat", "websocket events", "five_events"),
                ("chat", "websocket events", "order"),
                ("agents", "agents", "data"),
            ]
        )
    )
    return Session(
        id=name,
        plan=plan(),
        target="staging",
        verdict=Verdict.GOAL_MET,
        revision="chat-00042-abc",
        tree="0f3c1a2 (with changes)",
        focus="--focus websocket",
        started=started,
        ended=started + 95,
        cycles=1,
        selection=tuple(Selected(id=test.id, phase=test.phase, reason="in the plan") for test in tests),
        steps=(
            step("guards", 0, 4, summary="1,204 files, no findings"),
            step("select", 4, 1, summary="3 tests"),
            step("deploy", 5, 10, summary="revision chat-00042-abc at https://chat.example"),
            step("health", 15, 3, summary="healthy after 2 attempts"),
            step("phase:websocket events", 18, 40, summary="2 passed"),
            step("phase:agents", 58, 30, summary="1 passed"),
            step("stability", 88, 1, summary="1.00 against s1"),
            step("audit", 89, 5, summary="no new findings"),
        ),
        tests=tests,
        criteria=(
            Criterion(phase="websocket events", cycle=1, expression="pass_rate == 1.0", value="1.0", outcome="met"),
            Criterion(
                phase="websocket events", cycle=1, expression="p95(response_ms) < 2000", value="420", outcome="met"
            ),
        ),
        stability=Stability(compared_with="s1", score=1.0, formula="1 - 0 / 3"),
        audit=Audit(files_found=1_300, files_analysed=1_204, findings={}, problems=0, compared_with="s1", fixed=2),
        goal=Goal(wanted="all", reached="3 of 3 tests", met=True),
    )


def failed(name: str = "s3", started: float = START + 1_000) -> Session:
    """The service was up and lost events; a cause with whys and options, a rollback, an unproven test."""
    base = good(name, started)
    why = (
        Why(
            question="Why did 1 test fail?",
            answer="Two of five events came.",
            evidence=(Evidence(source="test", text=TRACEBACK, place="tests/e2e/test_chat.py:31"),),
        ),
        Why(
            question="Why did the service not send them?",
            answer="It raised ImportError in the handler.",
            evidence=(Evidence(source="log", text="ImportError: cannot import name 'AgentEvent' from 'chat.events'"),),
        ),
        Why(question="Why was the name gone?", answer="Commit 1f2e3d4 removed it on 2026-09-20."),
        Why(question="Why did no gate catch it?"),
    )
    cause = Cause(
        id="1-1",
        kind=CauseKind.SERVICE_ERROR,
        summary="ImportError in the service: cannot import name 'AgentEvent' from 'chat.events'",
        tests=(base.tests[0].id,),
        evidence=(Evidence(source="log", text="ERROR chat: handler failed\nImportError: …", place="service log"),),
        whys=why,
        rule="IMP002",
        gate="pre-commit: not installed in this clone",
        options=(
            Option(
                kind="fix",
                title="Import it from chat.messages, where it is now",
                command="guard check --fix --select IMP002",
                tried=True,
                removes=("IMP002 chat/handler.py: chat.events has no AgentEvent",),
            ),
            Option(
                kind="rollback", title="Back to chat-00041-xyz", command="guard loop run --rollback", note="not tried"
            ),
        ),
    )
    second = Cause(
        id="1-2",
        kind=CauseKind.UNPROVEN,
        rank="secondary",
        summary="passed without one connection to the target",
        tests=(base.tests[2].id,),
    )
    tests = (
        msgspec.structs.replace(
            base.tests[0],
            outcome=TestOutcome.FAILED,
            exception="builtins.AssertionError",
            message="assert ['agent_started', 'agent_completed'] == [...]",
            output=TRACEBACK,
            cause="1-1",
        ),
        base.tests[1],
        msgspec.structs.replace(
            base.tests[2], outcome=TestOutcome.UNPROVEN, peers=(), message="no connection to the target", cause="1-2"
        ),
    )
    return msgspec.structs.replace(
        base,
        verdict=Verdict.TESTS_FAILED,
        tests=tests,
        steps=(
            *base.steps[:4],
            step(
                "phase:websocket events",
                18,
                40,
                Outcome.FAILED,
                summary="1 failed, 1 passed",
                evidence=(Evidence(source="test", text="assert 2 == 5", place=base.tests[0].id),),
            ),
            step("phase:agents", 58, 30, Outcome.UNPROVEN, summary="1 unproven"),
            step("why", 88, 2, summary="2 causes"),
            step("rollback", 90, 5, summary="back to chat-00041-xyz"),
        ),
        causes=(cause, second),
        criteria=(
            Criterion(
                phase="websocket events",
                cycle=1,
                expression="pass_rate == 1.0",
                value="0.5",
                outcome="missed",
                message="0.5 is not 1.0",
            ),
            Criterion(
                phase="websocket events", cycle=1, expression="p95(response_ms) < 2000", value="", outcome="unproven"
            ),
        ),
        stability=Stability(
            compared_with="s2",
            score=0.67,
            formula="1 - 1 / 3",
            changes=(
                Change(kind="now-failing", subject=base.tests[0].id, before="passed", after="failed"),
                Change(kind="new-error", subject="ERROR chat: handler failed"),
            ),
        ),
        audit=Audit(
            files_found=1_300,
            files_analysed=1_204,
            findings={"IMP002": 1},
            problems=0,
            new=("0123456789abcdef",),
            compared_with="s2",
        ),
        goal=Goal(wanted="all", reached="1 of 3 tests", met=False),
    )


def large(number: int = 1_000) -> Session:
    """A session of many tests, one in fifty failed."""
    base = failed("big")
    tests = tuple(
        Test(
            id=f"tests/e2e/test_many.py::test_case[{index}]",
            phase="websocket events",
            cycle=1,
            outcome=TestOutcome.FAILED if index % 50 == 0 else TestOutcome.PASSED,
            started=START + index,
            duration_s=0.01 * index,
            peers=("chat.example:443",),
            output=TRACEBACK * 20 if index % 50 == 0 else "",
            cause="1-1" if index % 50 == 0 else "",
        )
        for index in range(number)
    )
    return msgspec.structs.replace(
        base,
        tests=tests,
        selection=tuple(Selected(id=test.id, phase=test.phase, reason="in the plan") for test in tests),
    )


HOSTILE = "\x1b[31m</pre><script>alert(1)</script> ```\n# head | cell \udcff \u202e {{ 7*7 }} @someone #12 ]]> &amp;"


def hostile(text: str = HOSTILE) -> Session:
    """Foreign `text` in every text of the record that can hold it."""
    return msgspec.convert(_poisoned(msgspec.to_builtins(failed("s4")), text), Session)


_KEPT = frozenset(
    {"verdict", "outcome", "kind", "priority", "rank", "plan", "phase", "cycle", "id", "target", "source"}
)


def _poisoned(value: object, text: str, key: str = "") -> object:
    if key in _KEPT:
        return value
    if isinstance(value, str):
        return f"{value} {text}"
    if isinstance(value, dict):
        return {name: _poisoned(item, text, name) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_poisoned(item, text, key) for item in value]
    return value
