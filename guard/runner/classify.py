"""What failures come from, told by evidence: the tests that failed of one thing are one cause.

Primary is what nothing else in the evidence explains; secondary what came about because of a primary one; tertiary what
was seen beside it, and explains none of the failures.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec

from guard.runner.classify_log import Crash, crashes, is_all, last_error, stands_at
from guard.runner.classify_test import Sign, sign_of
from guard.runner.deployers.base import DeployFailed
from guard.runner.known import last_outcomes
from guard.runner.record import Cause, CauseKind, Evidence, Outcome, Session, Step, Test, TestOutcome

_MOST_EVIDENCE: Final = 5
_TEXT: Final = 4_000
_WELL: Final = frozenset({TestOutcome.PASSED, TestOutcome.SKIPPED})
_OF_A_CRASH: Final = frozenset({"500", "502", "503", "1011", "1006", ""})
_CRASH_KINDS: Final = frozenset({CauseKind.HTTP, CauseKind.WEBSOCKET_CLOSE, CauseKind.RESET, CauseKind.REFUSED})
_OF_AN_END: Final = frozenset({CauseKind.WEBSOCKET_CLOSE, CauseKind.RESET, CauseKind.REFUSED})
_LAST_LINES: Final = 15
_LONGEST: Final = 400
_ORDER: Final = {"primary": 0, "secondary": 1, "tertiary": 2}


_NOT_TOLD: Final = "the log has {} exceptions, and does not tell which of them made which of the {} tests fail"
_OF_ITSELF: Final = ("chain", "sent_authorization")
"""Facts that are told of elsewhere, or in other words."""


class _Found(msgspec.Struct, kw_only=True):
    """A cause in the making."""

    sign: Sign
    tests: list[Test] = []
    evidence: list[Evidence] = []
    rank: str = "primary"


def causes(session: Session, cycle: int, log: str, failure: DeployFailed | None) -> tuple[Cause, ...]:
    """The causes of what failed in a cycle, the primary ones first. `log` is what the service logged since it was
    deployed; `failure` is how the deploy failed, where it did. Pure."""
    log = log or "\n".join(one.text for one in (failure.evidence if failure is not None else ()) if one.source == "log")
    thrown = crashes(log)
    if failure is not None:
        found = [_not_deployed(failure, thrown, log)]
    else:
        found = [*_unhealthy(session, cycle), *_of_tests(session, cycle, log), *_of_phases(session, cycle)]
        found = _with_end(found, _end(session, cycle, log))
        found = _with_crashes(found, thrown)
        found += _of_criteria(session, cycle, bool(found))
    found.sort(key=lambda one: (_ORDER[one.rank], -len(one.tests)))
    return _numbered(found, cycle, 0)


def of_criteria(session: Session, cycle: int, known: int) -> tuple[Cause, ...]:
    """The causes of a cycle's criteria that are not met, where `known` others are there already. Pure."""
    return _numbered(list(_of_criteria(session, cycle, known > 0)), cycle, known)


def _numbered(found: Sequence[_Found], cycle: int, known: int) -> tuple[Cause, ...]:
    return tuple(
        Cause(
            id=f"{cycle}-{number}",
            kind=one.sign.kind,
            summary=one.sign.summary,
            rank=one.rank,
            tests=tuple(test.id for test in one.tests),
            evidence=tuple(one.evidence),
        )
        for number, one in enumerate(found, known + 1)
    )


def _not_deployed(failure: DeployFailed, thrown: Sequence[Crash], log: str) -> _Found:
    if failure.phase == "build":
        return _Found(sign=Sign(CauseKind.BUILD, "", f"the build failed: {failure}"), evidence=[*failure.evidence])
    at = stands_at(log)
    told = [thrown[-1].said] if thrown else [f"it was at {at}"] if at else [one for one in [last_error(log)] if one]
    said = ": ".join([str(failure), *told])
    evidence = [_evidence(thrown[-1])] if thrown else []
    # Where the log is that one traceback it would be told twice.
    rest = [one for one in failure.evidence if not (thrown and one.source == "log" and is_all(one.text, thrown[-1]))]
    return _Found(sign=Sign(CauseKind.START, "", said), evidence=[*evidence, *rest])


def _unhealthy(session: Session, cycle: int) -> Iterator[_Found]:
    step = _step(session, cycle, "health")
    if step is None or step.outcome is not Outcome.FAILED:
        return
    found: dict[tuple[str, str], _Found] = {}
    for probe in _probes(step):
        outcome = str(probe.get("outcome", ""))
        if outcome == "ok":
            continue
        kind = CauseKind(outcome) if outcome in set(CauseKind) and outcome != "unknown" else CauseKind.HEALTH
        detail = str(probe.get("close_code") or probe.get("status") or "")
        said = f"{probe.get('kind')} {probe.get('url')}: {probe.get('error')}"
        one = found.setdefault((kind, detail), _Found(sign=Sign(kind, detail, said)))
        text = "\n".join(filter(None, [str(probe.get("error", "")), str(probe.get("body") or "")]))
        one.evidence.append(Evidence("probe", text, str(probe.get("url", ""))))
    yield from found.values()
    if not found:
        yield _Found(sign=Sign(CauseKind.HEALTH, "", step.summary), evidence=[*step.evidence])


def _probes(step: Step) -> list[Mapping[str, object]]:
    probes = step.data.get("probes")
    return [one for one in probes if isinstance(one, Mapping)] if isinstance(probes, list | tuple) else []


def _of_tests(session: Session, cycle: int, log: str) -> Iterator[_Found]:
    """One for all tests of one sign; and one for those that another revision answered."""
    mine = [test for test in last_outcomes(session.tests).values() if test.cycle == cycle]
    found: dict[tuple[CauseKind, str], _Found] = {}
    for test in mine:
        if test.outcome not in _WELL:
            sign = sign_of(test)
            found.setdefault((sign.kind, sign.detail), _Found(sign=sign)).tests.append(test)
    for one in found.values():
        for test in one.tests[:_MOST_EVIDENCE]:
            one.evidence += _evidence_of(test)
        one.evidence += _of_the_way(one, log)
    stale = [test for test in mine if session.revision and set(test.revisions) - {session.revision}]
    if stale:
        others = sorted({revision for test in stale for revision in test.revisions} - {session.revision})
        said = f"revision {', '.join(others)} answered, and {session.revision} was deployed"
        evidence = [Evidence("test", f"answered by revision {', '.join(test.revisions)}", test.id) for test in stale]
        yield _Found(sign=Sign(CauseKind.REVISION, "", said), tests=stale, evidence=evidence[:_MOST_EVIDENCE])
    yield from found.values()


def _evidence_of(test: Test) -> Iterator[Evidence]:
    facts = [f"{name}: {value}" for name, value in test.facts.items() if name not in _OF_ITSELF]
    text = "\n".join(filter(None, [test.exception, test.message, *facts]))
    if test.outcome is TestOutcome.TIMEOUT:
        text += f"\n{test.stacks[-_TEXT:]}"
    yield Evidence("test", text or test.outcome, test.id)
    if test.peers and test.outcome is not TestOutcome.UNPROVEN:
        # Not every library lets its bytes be counted; then there is nothing to say of them.
        counts = ((test.bytes_sent, "bytes sent"), (test.bytes_received, "received"))
        amount = ", ".join(f"{number} {what}" for number, what in counts if number)
        yield Evidence("network", f"connected to {', '.join(test.peers)}" + (f"; {amount}" if amount else ""), test.id)


def _of_the_way(found: _Found, log: str) -> Iterator[Evidence]:
    """Of a request that was not let in: what was sent, who answered, and what the service says that came."""
    if found.sign.detail.partition(" ")[0] not in ("401", "403"):
        return
    facts = found.tests[0].facts
    if facts.get("sent_authorization"):
        yield Evidence("network", "the request carried an Authorization header when it left the test")
    if facts.get("server"):
        yield Evidence("network", f"who answered calls itself {facts['server']}", facts.get("url", ""))
    lines = [line for line in log.splitlines() if "authorization" in line.lower()]
    if lines:
        yield Evidence("log", "\n".join(lines[-3:]))


def _of_phases(session: Session, cycle: int) -> Iterator[_Found]:
    """What kept a phase from running its tests."""
    for step in session.steps:
        if step.cycle != cycle or not step.name.startswith("phase:"):
            continue
        name = step.name.removeprefix("phase:")
        for one in step.evidence:
            last = next(reversed([line for line in one.text.splitlines() if line.strip()]), one.source)
            yield _Found(
                sign=Sign(CauseKind.TEST_BUG, one.place, f"tests of {name} could not be run: {last.strip()[:300]}"),
                evidence=[one],
            )
        if step.data.get("timed_out"):
            yield _Found(
                sign=Sign(CauseKind.TIMEOUT_TEST, name, f"the phase {name} was not through within its time"),
                evidence=[Evidence("test", step.summary, name)],
            )


def _end(session: Session, cycle: int, log: str) -> _Found | None:
    """That the service no longer served when a phase was over."""
    step = next((step for step in session.steps if step.cycle == cycle and "ended" in step.data), None)
    if step is None:
        return None
    name, how = step.name.removeprefix("phase:"), str(step.data["ended"])
    said = f"the service no longer served when the phase {name} was over" + (f": {how}" if how else "")
    lines = [line for line in log.splitlines() if line.strip()][-_LAST_LINES:]
    evidence = [Evidence("deployer", how, step.name)] if how else []
    evidence.append(Evidence("log", "\n".join(line[:_LONGEST] for line in lines) or "(nothing)", "its end"))
    return _Found(sign=Sign(CauseKind.ENDED, "", said), evidence=evidence)


def _with_end(found: list[_Found], end: _Found | None) -> list[_Found]:
    """Connections that are refused or dropped are explained by a service that ended."""
    if end is None:
        return found
    explained = [
        one for one in found if one.sign.kind in _OF_AN_END and one.sign.detail in ("", "other", "1006", "1012", "1001")
    ]
    for one in explained:
        one.rank = "secondary"
    end.tests = list({test.id: test for one in explained for test in one.tests}.values())
    return [end, *found]


def _with_crashes(found: list[_Found], thrown: Sequence[Crash]) -> list[_Found]:
    """Exceptions of the service explain the answers that a crash gives; those that explain none are tertiary."""
    explained = [one for one in found if one.sign.kind in _CRASH_KINDS and one.sign.detail in _OF_A_CRASH]
    for one in explained if thrown else ():
        one.rank = "secondary"
    tests = list({test.id: test for one in explained for test in one.tests}.values())
    for crash in thrown:
        times = f" ({crash.count} times)" if crash.count > 1 else ""
        sign = Sign(CauseKind.SERVICE_ERROR, crash.said, f"the service raised {crash.said}{times}")
        rank = "primary" if explained else "tertiary"
        evidence = [_evidence(crash)]
        if explained and len(thrown) > 1 and len(tests) > 1:
            evidence.append(Evidence("log", _NOT_TOLD.format(len(thrown), len(tests))))
        found.append(_Found(sign=sign, tests=tests, evidence=evidence, rank=rank))
    return found


def _evidence(crash: Crash) -> Evidence:
    return Evidence("log", crash.text, crash.place)


def _of_criteria(session: Session, cycle: int, is_explained: bool) -> Iterator[_Found]:
    """Criteria that were not met. Where tests failed it is of that, as far as anybody can tell."""
    for one in session.criteria:
        if one.cycle != cycle or one.outcome == "met":
            continue
        measured = f": {one.value}" if one.value else ""
        said = f"{one.expression} is {one.outcome} in {one.phase}{measured}"
        said += f"; {one.message}" if one.message else ""
        kind = CauseKind.CRITERION if one.outcome == "missed" else CauseKind.UNPROVEN
        yield _Found(
            sign=Sign(kind, one.expression, said),
            evidence=[
                Evidence("test", "; ".join(filter(None, [f"{one.expression}: {one.value or 'no value'}", one.message])))
            ],
            rank="secondary" if is_explained else "primary",
        )


def _step(session: Session, cycle: int, name: str) -> Step | None:
    return next((step for step in session.steps if step.cycle == cycle and step.name == name), None)
