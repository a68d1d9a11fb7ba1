"""Whys and ways out: as far as evidence reaches, and no further."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import msgspec
import pytest

from guard.model import Finding, Impact, Severity, Span
from guard.runner import options
from guard.runner.blame import suspect_of
from guard.runner.options import Fixed, tried
from guard.runner.record import Cause, CauseKind, Evidence
from guard.runner.whys import NO_RULE, NOT_INSTALLED, NOT_SEEN, Context, Gone, explained

GATES = {"guard loop": "overridden: haste", "pre-commit": "not installed"}
GONE = Gone(
    commit="0123456789abcdef",
    date="2026-11-28T10:00:00",
    subject="Tidy up",
    path="app/events.py",
    line=7,
    how="deleted it",
    importers=3,
    replacement="app.limits:LIMIT",
)
IMPORT_ERROR = "ImportError: cannot import name 'LIMIT' from 'app.events' (/srv/app/events.py)"


def finding(code: str, path: str, message: str, **data: object) -> Finding:
    return Finding(
        code=code,
        slug="x",
        severity=Severity.ERROR,
        impact=next(iter(Impact)),
        path=path,
        span=Span(line=3, column=1, end_line=3, end_column=2),
        message=message,
        symbol="",
        fingerprint=f"{code}{path}{message}",
        data=data,
    )


def cause(kind: CauseKind, said: str = "", place: str = "/srv/app/agents.py:3", **rest: Any) -> Cause:
    evidence = (Evidence("log", f"Traceback (most recent call last):\n  File\n{said}", place),) if said else ()
    return Cause(**{"id": "1-1", "kind": kind, "summary": "it failed", "evidence": evidence, **rest})


def context(findings: Sequence[Finding] = (), gone: Gone | None = None, brought: Gone | None = None) -> Context:
    asked: list[tuple[str, str]] = []

    def trace(module: str, name: str) -> Gone | None:
        asked.append((module, name))
        return gone if (module, name) == ("app.events", "LIMIT") else None

    return Context(findings=lambda: findings, trace=trace, brought=lambda _: brought, gates=GATES)


def test_a_chain_that_is_filled_whole() -> None:
    found = finding("IMP002", "app/agents.py", "app.events does not bind LIMIT", names=["LIMIT"], module="app.events")
    other = finding("IMP002", "app/other.py", "app.events does not bind LIMIT", names=["LIMIT"], module="app.events")
    (one,) = explained([cause(CauseKind.START, IMPORT_ERROR)], context([other, found], GONE))
    assert one.rule == "IMP002"
    assert one.gate == "guard loop: overridden: haste; pre-commit: not installed"
    answers = [why.answer for why in one.whys]
    assert all(answers)
    assert len(answers) == 5
    assert IMPORT_ERROR in answers[0]
    assert "IMP002 at app/agents.py:3" in answers[1], "the finding in the file that raised it"
    assert '0123456789ab of 2026-11-28, "Tidy up", deleted it (app/events.py:7)' in answers[2]
    assert "3 files still ask" in answers[3]
    assert "app.limits:LIMIT" in answers[3]


def test_a_finding_that_is_left_out_is_told_with_what_leaves_it_out() -> None:
    hidden = finding("IMP002", "app/agents.py", "app.events does not bind LIMIT", names=["LIMIT"], module="app.events")
    asked: list[Sequence[str]] = []

    def left_out(codes: Sequence[str]) -> list[tuple[Finding, str]]:
        asked.append(codes)
        return [(hidden, "the baseline has it")]

    given = msgspec.structs.replace(context(gone=GONE), left_out=left_out)
    (one,) = explained([cause(CauseKind.START, IMPORT_ERROR)], given)
    assert [("IMP002" in codes) for codes in asked] == [True]
    assert all(why.answer for why in one.whys)
    assert one.whys[-1].answer == "IMP002 is found before a deploy, but not reported: the baseline has it."
    assert (one.rule, one.gate) == ("IMP002", "the baseline has it")


def test_what_is_not_installed_is_not_blamed_on_the_tree() -> None:
    said = "ModuleNotFoundError: No module named 'redis.asyncio'"
    elsewhere = msgspec.structs.replace(context(), is_ours=lambda name: name == "app", served_by="/venv/bin/python")
    (one,) = explained([cause(CauseKind.START, said)], elsewhere)
    assert (one.rule, one.gate) == ("", NOT_INSTALLED)
    assert (
        one.whys[1].answer == "redis.asyncio is no module of this tree, and not in what /venv/bin/python has installed."
    )
    assert not one.whys[-1].answer
    (way_out,) = tried([one], options.Context(fix=lambda codes, unsafe: None))[0].options
    assert way_out.title.startswith("Install what the project's requirements ask for")
    (ours,) = explained([cause(CauseKind.START, "ModuleNotFoundError: No module named 'app.gone'")], elsewhere)
    assert ours.rule == "IMP001"
    gone = msgspec.structs.replace(elsewhere, trace=lambda module, name: GONE)
    assert explained([cause(CauseKind.START, said)], gone)[0].rule == "IMP001"


OF_OTHERS = [
    ("AttributeError: 'NoneType' object has no attribute 'name'", "Why is it None there?"),
    ("AttributeError: 'dict' object has no attribute 'name'", "Why is it of the type dict there?"),
    ("AttributeError: 'Response' object has no attribute 'name'", "The class Response is not of this tree."),
    (
        "TypeError: Starlette.__init__() got an unexpected keyword argument 'on_startup'",
        "The class Starlette is not of",
    ),
    (
        "TypeError: make.<locals>.Task.__init__() missing 1 required positional argument: 'a'",
        "The class Task is not of",
    ),
    ("ImportError: cannot import name 'Gone' from 'starlette.routing' (/lib/x.py)", "The module starlette.routing is"),
    ("AttributeError: module 'httpx' has no attribute 'gone'", "The module httpx is not of this tree."),
]


@pytest.mark.parametrize(("said", "question"), OF_OTHERS)
def test_what_a_package_or_python_lacks_is_not_looked_for_in_the_tree(said: str, question: str) -> None:
    ours = {"is_ours": lambda name: name == "app", "defines": lambda name: name == "State"}
    (one,) = explained([cause(CauseKind.SERVICE_ERROR, said)], msgspec.structs.replace(context(), **ours))
    assert (one.rule, one.gate) == ("", NO_RULE)
    assert one.whys[-1].question.startswith(question)
    assert not one.whys[-1].answer


def test_what_may_be_the_tree_s_is_looked_for_there() -> None:
    ours = msgspec.structs.replace(context(), defines=lambda name: name == "State", is_ours=lambda name: name == "app")
    for said in (
        "TypeError: State.__init__() got an unexpected keyword argument 'a'",
        "AttributeError: type object 'State' has no attribute 'b'",
        "TypeError: Unexpected keyword argument 'c'",
    ):
        (one,) = explained([cause(CauseKind.SERVICE_ERROR, said)], ours)
        assert one.gate == NOT_SEEN


def test_which_arguments_a_function_takes_no_rule_looks_at() -> None:
    (one,) = explained(
        [cause(CauseKind.SERVICE_ERROR, "TypeError: f() got an unexpected keyword argument 'a'")], context()
    )
    assert (one.rule, one.gate) == ("", NO_RULE)


def test_an_error_that_is_no_exception_is_an_answer() -> None:
    log = Evidence("log", 'ERROR:    Error loading ASGI app. Could not import module "x".', "local.log")
    (one,) = explained([cause(CauseKind.START, evidence=(log,))], context())
    assert one.whys[0].answer == 'Its log says: Error loading ASGI app. Could not import module "x".'
    assert not one.whys[1].answer


def test_a_start_that_hangs_is_no_end() -> None:
    stack = 'Current thread 0x1 (most recent call first):\n  File "/srv/app/store.py", line 5 in connect\n'
    hangs = cause(CauseKind.START, evidence=(Evidence("log", stack, "local.log"),))
    (one,) = explained([hangs], context())
    assert one.whys[0].answer == "It was still at /srv/app/store.py:5, connect, when its time was over."
    assert one.whys[1].question.startswith("What does it wait for there")


def test_where_evidence_ends_a_question_stays_open() -> None:
    (one,) = explained([cause(CauseKind.START, IMPORT_ERROR)], context())
    assert one.rule == "IMP002"
    assert [bool(why.answer) for why in one.whys] == [True, False, False, False]
    (silent,) = explained([cause(CauseKind.START)], context())
    assert not any(why.answer for why in silent.whys)
    assert silent.gate == NO_RULE
    (odd,) = explained([cause(CauseKind.SERVICE_ERROR, "app.Odd: what?")], context())
    assert (odd.rule, odd.gate) == ("", NO_RULE)


def test_the_commit_that_brought_a_finding_in_is_told_where_nothing_is_gone() -> None:
    found = finding("DCF002", "app/agents.py", "Event() got an unexpected keyword argument 'trace'")
    said = "TypeError: Event.__init__() got an unexpected keyword argument 'trace'"
    (one,) = explained([cause(CauseKind.SERVICE_ERROR, said)], context([found], brought=GONE))
    assert one.rule == "DCF002"
    assert "Tidy up" in one.whys[2].answer
    assert all(why.answer for why in one.whys)


def test_what_came_of_a_primary_cause_refers_to_it() -> None:
    first = cause(CauseKind.SERVICE_ERROR, "KeyError: 7", summary="the service raised KeyError: 7")
    second = cause(CauseKind.HTTP, id="1-2", rank="secondary", summary="answered with 500")
    _, told = explained([first, second], context())
    assert "the service raised KeyError: 7 (cause 1-1)" in told.whys[-1].answer


def test_a_criterion_is_missed_because_of_all_that_failed() -> None:
    raised = cause(CauseKind.SERVICE_ERROR, "KeyError: 7", tests=("t.py::a",))
    slow = cause(CauseKind.TIMEOUT_CLIENT, id="1-2", tests=("t.py::b",))
    missed = cause(CauseKind.CRITERION, id="1-3", rank="secondary", summary="pass_rate == 1.0 is missed in p: 0.5")
    *_, told = explained([raised, slow, missed], context())
    assert (told.whys[-1].answer, told.gate) == ("Tests did not pass: causes 1-1, 1-2.", "those of causes 1-1, 1-2")
    *_, told = explained([slow, missed], context())
    assert (told.whys[-1].answer, told.gate) == ("Tests did not pass: cause 1-2.", "that of cause 1-2")


def test_a_header_that_was_lost_on_the_way() -> None:
    evidence = (
        Evidence("network", "the request carried an Authorization header when it left the test"),
        Evidence("network", "who answered calls itself nginx/1.22.1"),
        Evidence("log", "/me refused: no Authorization header came"),
    )
    (one,) = explained([cause(CauseKind.HTTP, evidence=evidence, summary="answered with 401")], context())
    assert "something between them changes it" in one.whys[1].answer
    assert "nginx/1.22.1" in one.whys[2].answer
    assert one.whys[3].question == "Which setting of nginx drops the Authorization header?"
    assert not one.whys[3].answer


@pytest.mark.parametrize("line", ["authorization failed: token expired", "Authorization: Bearer ***"])
def test_a_header_that_came_is_not_said_to_be_lost(line: str) -> None:
    evidence = (
        Evidence("network", "the request carried an Authorization header when it left the test"),
        Evidence("network", "who answered calls itself nginx/1.22.1"),
        Evidence("log", line),
    )
    (one,) = explained([cause(CauseKind.HTTP, evidence=evidence, summary="answered with 401")], context())
    assert [why.question for why in one.whys if not why.answer] == [
        "The request carried an Authorization header. Why was it not let in?"
    ]


def test_the_service_itself_does_not_stand_between() -> None:
    evidence = (
        Evidence("network", "the request carried an Authorization header when it left the test"),
        Evidence("network", "who answered calls itself uvicorn"),
        Evidence("log", "/me refused: no Authorization header came"),
    )
    (one,) = explained([cause(CauseKind.HTTP, evidence=evidence, summary="answered with 401")], context())
    assert one.whys[-1].question == "What stands between the test and the service?"


@pytest.mark.parametrize(
    ("evidence", "question"),
    [
        (Evidence("network", "connected to h:80"), "What did the server do meanwhile? It accepted the connection."),
        (Evidence("test", "httpx.ConnectTimeout"), "Did the request reach the server at all?"),
    ],
)
def test_what_a_client_that_gave_up_knows_of_the_server(evidence: Evidence, question: str) -> None:
    (one,) = explained([cause(CauseKind.TIMEOUT_CLIENT, evidence=(evidence,))], context())
    assert one.whys[-1].question == question


@pytest.mark.parametrize("kind", [kind for kind in CauseKind if kind is not CauseKind.GUARD])
def test_every_kind_has_a_question_and_says_which_gate(kind: CauseKind) -> None:
    (one,) = explained([cause(kind)], context())
    assert one.whys
    assert one.gate


@pytest.mark.parametrize(
    ("said", "rule", "name"),
    [
        (IMPORT_ERROR, "IMP002", "LIMIT"),
        ("ModuleNotFoundError: No module named 'app.gone'", "IMP001", "app.gone"),
        ("AttributeError: module 'app.x' has no attribute 'y'", "IMP011", "y"),
        ("AttributeError: 'State' object has no attribute 'user_id'", "DCF001", "user_id"),
        ("TypeError: State.__init__() got an unexpected keyword argument 'a'", "DCF002", "a"),
        ("TypeError: State.__init__() missing 1 required positional argument: 'b'", "DCF003", "b"),
        ("TypeError: Unexpected keyword argument 'a'", "DCF002", "a"),
        ("TypeError: Missing required argument 'b'", "DCF003", "b"),
        ("NameError: name 'c' is not defined", "SYN004", "c"),
        ("  SyntaxError: invalid syntax", "SYN001", ""),
        (
            "AssertionError: SessionMiddleware must be installed to access request.session",
            "MID005",
            "SessionMiddleware",
        ),
        (IMPORT_ERROR.replace("from '", "from partially initialized module '"), "IMP005", "LIMIT"),
    ],
)
def test_what_an_exception_blames(said: str, rule: str, name: str) -> None:
    suspect = suspect_of(said)
    assert suspect is not None
    assert (suspect.rules[0], suspect.name) == (rule, name)


# Ways out


def fixes(result: Fixed | None, unsafe_only: bool = False) -> options.Context:
    def fix(codes: Collection[str], unsafe: bool) -> Fixed | None:
        assert set(codes) == {"IMP002"}
        return result if unsafe or not unsafe_only else None

    return options.Context(fix=fix, healthy=("rev-2", "rev-1"), revision="rev-2", can_roll_back=True)


A, B, C = (finding("IMP002", "a.py", text) for text in "ABC")


def test_a_fix_says_what_it_removes_adds_and_leaves() -> None:
    found = cause(CauseKind.START, IMPORT_ERROR, rule="IMP002", gate="pre-commit: not installed")
    (one,) = tried([found], fixes(Fixed(before=(A, B), after=(B, C), files=("a.py",)), unsafe_only=True))
    fix, rollback, hook = one.options
    assert fix.command == "guard check --fix --select IMP002 --unsafe-fixes"
    assert (fix.removes, fix.adds, fix.leaves) == (
        ("IMP002 a.py:3: A",),
        ("IMP002 a.py:3: C",),
        ("IMP002 a.py:3: B",),
    )
    assert "rev-1" in rollback.title
    assert (rollback.tried, rollback.note[:9]) == (False, "not tried")
    assert hook.kind == "configuration"
    assert not hook.tried


def test_a_rollback_says_what_the_guards_find_in_what_would_serve() -> None:
    asked: list[tuple[str, str]] = []

    def back(now: str, then: str) -> Fixed:
        asked.append((now, then))
        return Fixed(before=(A, B), after=(B, C), files=())

    context = msgspec.structs.replace(fixes(None), back=back, findings=lambda: (A, finding("DCF001", "b.py", "D")))
    (one,) = tried([cause(CauseKind.START, IMPORT_ERROR, rule="IMP002", gate="pre-commit: not installed")], context)
    by_hand, rollback, hook = one.options
    assert (by_hand.removes, by_hand.leaves) == ((), ("IMP002 a.py:3: A",))
    assert asked == [("rev-2", "rev-1")]
    assert (rollback.tried, rollback.removes, rollback.adds, rollback.leaves) == (
        True,
        ("IMP002 a.py:3: A",),
        ("IMP002 a.py:3: C",),
        ("IMP002 a.py:3: B",),
    )
    assert (hook.tried, hook.removes, hook.adds, hook.leaves) == (True, (), (), ("IMP002 a.py:3: A",))


def test_what_is_no_finding_is_not_counted_as_one() -> None:
    (unproven,) = tried([cause(CauseKind.UNPROVEN, tests=("t.py::a", "t.py::b"))], fixes(None))
    (option,) = unproven.options
    assert (option.removes, option.adds, option.leaves) == ((), (), ())
    assert option.note.startswith("2 passes count then, and prove as little")


def test_there_is_no_way_back_without_a_healthy_revision() -> None:
    bare = options.Context(fix=lambda codes, unsafe: None, healthy=("rev-2",), revision="rev-2", can_roll_back=True)
    (one,) = tried([cause(CauseKind.START, IMPORT_ERROR, rule="IMP002")], bare)
    assert [option.title for option in one.options] == ["Mend IMP002 by hand"]
    (unproven,) = tried([cause(CauseKind.UNPROVEN, tests=("t.py::a",))], bare)
    assert unproven.options[0].command == "real = false"
    assert tried([cause(CauseKind.START, rank="secondary", rule="IMP002")], bare)[0].options == ()


def test_the_way_back_leads_to_what_met_the_goal_rather_than_to_what_was_only_healthy() -> None:
    given = options.Context(
        fix=lambda codes, unsafe: None, healthy=("rev-3", "rev-2"), good="rev-1", revision="rev-3", can_roll_back=True
    )
    (one,) = tried([cause(CauseKind.ASSERTION)], given)
    assert [option.title for option in one.options] == [
        "Go back to rev-1, the last revision with which a session met its goal on this target"
    ]
    (one,) = tried([cause(CauseKind.ASSERTION)], msgspec.structs.replace(given, good="rev-3"))
    assert [option.title for option in one.options] == [
        "Go back to rev-2, the last revision that is known to be healthy on this target"
    ]


def test_no_rule_is_asked_to_mend_what_it_does_not_see() -> None:
    (one,) = explained([cause(CauseKind.SERVICE_ERROR, IMPORT_ERROR)], context())
    assert one.gate == NOT_SEEN
    (one,) = tried([one], options.Context(fix=lambda codes, unsafe: None))
    assert one.options == ()
