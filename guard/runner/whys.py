"""Five whys: a chain from what was seen to where it came from, as far as evidence reaches.

Where it does not reach, the chain ends in a question without an answer: somebody has to find out.
"""

from __future__ import annotations

import builtins
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

import msgspec

from guard.model import Finding
from guard.runner.blame import Suspect, finding_for, suspect_of
from guard.runner.classify_log import last_error, stands_at
from guard.runner.lately import SINCE_WHEN
from guard.runner.record import Cause, CauseKind, Evidence, Why


class Gone(msgspec.Struct, frozen=True, kw_only=True):
    """What the history knows of a name that is missing."""

    commit: str
    """Empty where the change is not committed yet."""
    date: str
    """ISO 8601."""
    subject: str
    path: str
    line: int
    how: str
    importers: int
    """How many imports of it are left in the tree."""
    replacement: str = ""
    """What took its place, as `module:name`; empty where nothing did."""


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """What the whys can ask."""

    findings: Callable[[], Sequence[Finding]]
    """What the guards say of the tree that was deployed."""
    trace: Callable[[str, str], Gone | None]
    """(module, name) -> what became of it; the name is empty for a module. None where nothing can be told."""
    brought: Callable[[Finding], Gone | None] | None = None
    """The commit that brought a finding in; asked where `trace` has no answer."""
    left_out: Callable[[Sequence[str]], Sequence[tuple[Finding, str]]] = lambda _: ()
    """(rule codes) -> what these rules find that no report has, each with what leaves it out; asked where `findings`
    has nothing."""
    is_ours: Callable[[str], bool] = lambda _: True
    """Whether a module of the tree may go by a name without dots."""
    defines: Callable[[str], bool] = lambda _: True
    """Whether a class of the tree may go by a name."""
    served_by: str = ""
    """The Python that the service runs with; empty where that is not known."""
    gates: Mapping[str, str] = {}
    """Gates that could have stopped it, by name (`guard loop`, `pre-commit`, `ci`), and for each why it did not:
    `not installed`, `installed`, `overridden: REASON`."""


NOT_SEEN: Final = "the rule did not see it in this tree"
"""What a cause says of its gate where a rule looks for such a thing, and has no finding of it."""
NOT_INSTALLED: Final = "none: guard finds nothing wrong in the tree; what it asks for is not installed"
"""What a cause says of its gate where the service's environment lacks what the tree may count on."""
NO_RULE: Final = "none: no rule of guard looks for this"
"""What a cause says of its gate where no check of the tree could have told of it."""

_OF_CRITERIA: Final = frozenset({CauseKind.CRITERION, CauseKind.UNPROVEN})
_RAISED: Final = frozenset({CauseKind.START, CauseKind.SERVICE_ERROR})


def explained(causes: Sequence[Cause], context: Context) -> tuple[Cause, ...]:
    """The causes, with their whys, the rule that should have caught each, and the gate. What came about because of a
    primary cause refers to that one; its own chain would be the same."""
    primary = [cause for cause in causes if cause.rank == "primary"]
    return tuple(_explained(cause, primary, context) for cause in causes)


def _explained(cause: Cause, primary: Sequence[Cause], context: Context) -> Cause:
    if cause.kind is CauseKind.GUARD:
        return cause
    if cause.kind in _RAISED:
        return _of_an_exception(cause, context)
    whys = list(_WHYS.get(cause.kind, _unknown)(cause))
    failed = [one.id for one in primary if one.tests]
    if cause.rank == "secondary" and not cause.tests and cause.kind in _OF_CRITERIA and failed:
        ids = f"cause {failed[0]}" if len(failed) == 1 else f"causes {', '.join(failed)}"
        whys = [*whys[:1], Why(question="Why did it come to that?", answer=f"Tests did not pass: {ids}.")]
        return msgspec.structs.replace(
            cause, whys=tuple(whys), gate=f"{'that' if len(failed) == 1 else 'those'} of {ids}"
        )
    raised = next((one for one in primary if one.kind in _RAISED or one.kind is CauseKind.ENDED), None)
    if cause.rank == "secondary" and raised is not None:
        whys = [
            *whys[:1],
            Why(
                question="Why did it come to that?",
                answer=f"{raised.summary} (cause {raised.id})",
                evidence=raised.evidence[:1],
            ),
        ]
        return msgspec.structs.replace(cause, whys=tuple(whys), gate=f"that of cause {raised.id}")
    return msgspec.structs.replace(cause, whys=tuple(whys), gate=NO_RULE)


# Exceptions of the service: the chain that guard can fill whole


def _of_an_exception(cause: Cause, context: Context) -> Cause:
    log = next((one for one in cause.evidence if one.source == "log"), None)
    said = _exception_in(log.text) if log is not None else ""
    first = "Why did the service not start?" if cause.kind is CauseKind.START else "Why did it answer so?"
    if log is None or not said:
        whys = [_open(first, cause.evidence), _open("What did it end of? No exception of it is known.")]
        return msgspec.structs.replace(
            cause, whys=tuple(whys if log is None else _without_an_exception(log, first) or whys), gate=NO_RULE
        )
    at = f", at {log.place}" if log.place else ""
    whys = [Why(question=first, answer=f"It raised {said}{at}.", evidence=(log,))]
    suspect = suspect_of(said)
    if suspect is None:
        whys.append(_open(f"Why was {said.partition(':')[0]} raised there? No rule of guard looks for it."))
        return msgspec.structs.replace(cause, whys=tuple(whys), gate=NO_RULE)
    finding = finding_for(suspect, log.place, context.findings())
    by = ""
    if finding is None:
        hidden = context.left_out(suspect.rules)
        finding = finding_for(suspect, log.place, [one for one, _ in hidden])
        by = next((by for one, by in hidden if one is finding), "")
    if finding is None and _is_not_installed(suspect, context):
        whys += _of_the_environment(suspect, said, context)
        return msgspec.structs.replace(cause, whys=tuple(whys), gate=NOT_INSTALLED)
    if finding is None and (question := _of_others(suspect, context)):
        whys.append(_open(f"{question} No rule of guard looks for it."))
        return msgspec.structs.replace(cause, whys=tuple(whys), gate=NO_RULE)
    whys += _of_a_suspect(suspect, finding, by, said, context)
    rule = finding.code if finding is not None else suspect.rules[0]
    return msgspec.structs.replace(cause, whys=tuple(whys), rule=rule, gate=by or _gate(finding, context))


def _without_an_exception(log: Evidence, first: str) -> list[Why]:
    """What a log answers that holds no exception: where the service hangs, or an error in words; nothing else."""
    at, error = stands_at(log.text), last_error(log.text)
    if at is not None:
        answer = f"It was still {f'at {at},' if at else 'starting'} when its time was over."
        then = "What does it wait for there, and why without a limit?"
    else:
        answer, then = f"Its log says: {error}", "What does that come from?"
    return [Why(question=first, answer=answer, evidence=(log,)), _open(then)] if at is not None or error else []


def _is_not_installed(suspect: Suspect, context: Context) -> bool:
    """Whether a module that guard misses nothing of is one that the environment should have: it neither is the tree's
    nor ever was."""
    is_a_module = bool(suspect.module) and suspect.name == suspect.module
    return is_a_module and not context.is_ours(suspect.module.partition(".")[0]) and not context.trace(suspect.name, "")


def _of_others(suspect: Suspect, context: Context) -> str:
    """What is asked where it is not the tree that lacks something, but a package or Python itself; nothing where it may
    be the tree."""
    if suspect.owner == "NoneType":
        return "Why is it None there?"
    if suspect.owner and hasattr(builtins, suspect.owner):
        return f"Why is it of the type {suspect.owner} there?"
    owner = f"The class {suspect.owner}" if suspect.owner and not context.defines(suspect.owner) else ""
    if suspect.module and suspect.name != suspect.module and not context.is_ours(suspect.module.partition(".")[0]):
        owner = f"The module {suspect.module}"
    if not owner:
        return ""
    return f"{owner} is not of this tree. Is the version that is installed where it runs the one that the tree is for?"


def _of_the_environment(suspect: Suspect, said: str, context: Context) -> Iterator[Why]:
    where = f"what {context.served_by} has installed" if context.served_by else "what is installed where it runs"
    yield Why(
        question=f"Why was {said.partition(':')[0]} raised?",
        answer=f"{suspect.name} is no module of this tree, and not in {where}.",
    )
    yield Why(
        question="Why did no gate stop it?",
        answer="The tree may count on it, as far as guard can tell: a requirement asks for it, or it is imported only "
        "where that cannot be told. What is installed where the service runs is for its deploy to see to.",
    )
    yield _open("Was that environment made from the project's requirements as they are now?")


def _of_a_suspect(suspect: Suspect, finding: Finding | None, by: str, said: str, context: Context) -> Iterator[Why]:
    """`by` is what leaves the finding out of every report; empty where it is not left out."""
    question = f"Why was {said.partition(':')[0]} raised?"
    missing = suspect.name or "it"
    if finding is None:
        yield _open(f"{question} {suspect.rules[0]} would tell, and finds nothing of {missing} in this tree.")
    else:
        place = f"{finding.path}:{finding.span.line}"
        yield Why(
            question=question,
            answer=f"{finding.code} at {place}: {finding.message}.",
            evidence=(Evidence("guard", f"{finding.code} {finding.message}", place),),
        )
    asked = _asked(suspect, finding)
    gone = context.trace(*asked) if asked is not None else None
    brought = context.brought(finding) if gone is None and finding is not None and context.brought is not None else None
    if gone is not None:
        yield _of_the_history(f"Why is {missing} not there?", gone)
        yield _of_the_importers(missing, gone)
    elif brought is not None:
        yield _of_the_history(f"{SINCE_WHEN} is that so?", brought)
    else:
        yield _open(f"{SINCE_WHEN} is {missing} not there? The history does not tell.")
    if finding is None:
        yield _open("Why did no gate stop it?")
    else:
        why = f", but not reported: {by}" if by else f"; {_gates(context)}"
        yield Why(question="Why did no gate stop it?", answer=f"{finding.code} is found before a deploy{why}.")


def _asked(suspect: Suspect, finding: Finding | None) -> tuple[str, str] | None:
    """What the history is asked: for a field of a class, the class's module is in the finding."""
    if suspect.asked is not None:
        return suspect.asked
    module = finding.data.get("module") if finding is not None else None
    return (str(module), suspect.name) if module and suspect.name else None


def _of_the_history(question: str, gone: Gone) -> Why:
    place = f"{gone.path}:{gone.line}" if gone.line else gone.path
    did = gone.how if gone.how.endswith(f" {gone.path}") else f"{gone.how} ({place})"
    if gone.commit:
        answer = f'{gone.commit[:12]} of {gone.date[:10]}, "{gone.subject}", {did}.'
    else:
        answer = f"A change that is not committed yet: it {did}."
    text = f"{gone.commit} {gone.date}\n{gone.subject}\n{did}".strip()
    return Why(question=question, answer=answer, evidence=(Evidence("git", text, gone.commit or place),))


def _of_the_importers(missing: str, gone: Gone) -> Why:
    files = "1 file still asks" if gone.importers == 1 else f"{gone.importers} files still ask"
    now = f" It is {gone.replacement} now." if gone.replacement else " Nothing took its place."
    return Why(question="Why did that break the service?", answer=f"{files} for {missing}.{now}")


def _gate(finding: Finding | None, context: Context) -> str:
    if finding is None:
        return NOT_SEEN
    return _gates(context)


def _gates(context: Context) -> str:
    return "; ".join(f"{name}: {state}" for name, state in context.gates.items()) or "no gate is known"


def _exception_in(text: str) -> str:
    """The last line of a traceback."""
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines and "Traceback" in text else ""


# What was seen from outside: one answer, and then a question that the service's people have to answer


def _open(question: str, evidence: Sequence[Evidence] = ()) -> Why:
    return Why(question=question, evidence=tuple(evidence))


def _plain(question: str, then: str) -> Callable[[Cause], Iterator[Why]]:
    def whys(cause: Cause) -> Iterator[Why]:
        yield Why(question=question, answer=f"{cause.summary}.", evidence=cause.evidence[:2])
        yield _open(then)

    return whys


_FAILED: Final = "Why did the tests fail?"
_unknown = _plain(_FAILED, "What does that come from?")


_LOST: Final = re.compile(
    r"(?i)\b(?:no|without|missing|lacks?|empty)\b[^.;]{0,40}\bauthorization\b"
    r"|\bauthorization\b[^.;]{0,40}\b(?:missing|absent|empty|not (?:there|sent|given|found|present))\b"
)
"""A line that says that no such header came, and not that what came in it was refused."""
_BETWEEN: Final = re.compile(r"(?i)calls itself (?!(?:uvicorn|hypercorn|gunicorn|daphne|granian|waitress|werkzeug)\b)")
"""Who answered is none of the servers that an application runs in."""


def _http(cause: Cause) -> Iterator[Why]:
    yield Why(
        question=_FAILED if cause.tests else "Why is it not well?",
        answer=f"{cause.summary}.",
        evidence=cause.evidence[:1],
    )
    sent = next((one for one in cause.evidence if "carried an Authorization header" in one.text), None)
    log = next((one for one in cause.evidence if one.source == "log"), None)
    if sent is None:
        yield _open("Why does the service answer so? No exception of it is known.")
        return
    between = next((one for one in cause.evidence if _BETWEEN.search(one.text)), None)
    seen = [one for one in (sent, log) if one is not None]
    if log is None or not _LOST.search(log.text):
        yield _open("The request carried an Authorization header. Why was it not let in?", seen)
        return
    yield Why(
        question="Why was it not let in?",
        answer="The header was there when the request left the test, and by the service's log it did not come there "
        "as it was sent: something between them changes it.",
        evidence=tuple(seen),
    )
    if between is not None:
        who = between.text.partition("calls itself ")[2]
        yield Why(
            question="What stands between them?", answer=f"{who}, by the answer's Server header.", evidence=(between,)
        )
        yield _open(f"Which setting of {who.partition('/')[0]} drops the Authorization header?")
    else:
        yield _open("What stands between the test and the service?")


def _gave_up(cause: Cause) -> Iterator[Why]:
    yield Why(question=_FAILED, answer=f"{cause.summary}.", evidence=cause.evidence[:2])
    if any(one.text.startswith("connected to ") for one in cause.evidence):
        yield _open("What did the server do meanwhile? It accepted the connection.")
    else:
        yield _open("Did the request reach the server at all?")


def _closed(cause: Cause) -> Iterator[Why]:
    yield Why(question=_FAILED, answer=f"{cause.summary}.", evidence=cause.evidence[:2])
    if "cleanly" in cause.summary:
        yield Why(question="Was that a failure of the server?", answer="No: 1000 and 1001 say that it was done.")
        yield _open("Why is the server done before the test is?")
    elif "1011" in cause.summary:
        yield Why(
            question="What does 1011 say?", answer="The server met an error of its own that kept it from going on."
        )
        yield _open("What was that error? No exception of it is known; let its handler log what it catches.")
    else:
        yield _open("Who ended the connection: the service, a proxy's limit, or the network?")


_WHYS: Final[Mapping[CauseKind, Callable[[Cause], Iterator[Why]]]] = {
    CauseKind.HTTP: _http,
    CauseKind.WEBSOCKET_CLOSE: _closed,
    CauseKind.WEBSOCKET_REFUSED: _http,
    CauseKind.BUILD: _plain("Why was it not deployed?", "What in the tree makes the build fail?"),
    CauseKind.HEALTH: _plain("Why is the service not well?", "What does its answer come from?"),
    CauseKind.REVISION: _plain(
        "Why is it no verdict on what was deployed?", "Why does the other revision get requests?"
    ),
    CauseKind.ENDED: _plain(_FAILED, "Why does it no longer serve?"),
    CauseKind.REFUSED: _plain(_FAILED, "Is the service down, or does it listen somewhere else?"),
    CauseKind.RESET: _plain(_FAILED, "Who dropped the connection?"),
    CauseKind.DNS: _plain(_FAILED, "Is the name wrong, or not published yet?"),
    CauseKind.TLS: _plain(_FAILED, "Is it the certificate, its chain, or the client's trust?"),
    CauseKind.TIMEOUT_CLIENT: _gave_up,
    CauseKind.TIMEOUT_PROXY: _plain(_FAILED, "What did the service behind the proxy wait for?"),
    CauseKind.TIMEOUT_TEST: _plain(
        "Why did the test not end?", "What was it waiting for there, and why without a limit?"
    ),
    CauseKind.ASSERTION: _plain(_FAILED, "Is it the service that is wrong, or what the test expects?"),
    CauseKind.FLAKE: _plain("Why is it no pass?", "What differs from run to run: time, order, or the service's state?"),
    CauseKind.TEST_BUG: _plain(_FAILED, "When did the test last run well?"),
    CauseKind.UNPROVEN: _plain("Why does it not count?", "What keeps it from being asked of the real service?"),
    CauseKind.CRITERION: _plain("Why was the phase not passed?", "Which change made it so?"),
}
