"""The record of a session: what was planned, each step with its evidence, and the verdict.

Every page, every format and every message about a session is a function of a `Session`. Texts in it were redacted
before they came here (`guard.runner.redact`). Times are seconds since the epoch, in UTC; durations are seconds.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping

import msgspec

from guard.runner.plan import Plan

SCHEMA_VERSION = 1


class Outcome(enum.StrEnum):
    """How a step ended."""

    OK = "ok"
    FAILED = "failed"
    BLOCKED = "blocked"
    SKIPPED = "skipped"
    UNPROVEN = "unproven"


class TestOutcome(enum.StrEnum):
    """How a test ended. Only `passed` counts towards the goal."""

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"
    SKIPPED = "skipped"
    TIMEOUT = "timeout"
    FLAKY = "flaky"
    UNPROVEN = "unproven"


TestOutcome.__test__ = False  # type: ignore[attr-defined]  # pytest takes the name for a class of tests

FAILING = frozenset(TestOutcome) - {TestOutcome.PASSED, TestOutcome.SKIPPED}
"""Outcomes that count against the goal, and have a cause."""
FAILED = FAILING - {TestOutcome.UNPROVEN}
"""Of these, the ones of tests that did not pass. An unproven one passed, and shows nothing."""


class Verdict(enum.StrEnum):
    """How a session ended."""

    RUNNING = "running"
    GOAL_MET = "goal-met"
    BLOCKED = "blocked"
    DEPLOY_FAILED = "deploy-failed"
    UNHEALTHY = "unhealthy"
    TESTS_FAILED = "tests-failed"
    UNPROVEN = "unproven"
    INTERRUPTED = "interrupted"


EXIT_CODES: Mapping[Verdict, int] = {
    Verdict.GOAL_MET: 0,
    Verdict.BLOCKED: 10,
    Verdict.DEPLOY_FAILED: 11,
    Verdict.UNHEALTHY: 12,
    Verdict.TESTS_FAILED: 13,
    Verdict.UNPROVEN: 14,
    Verdict.INTERRUPTED: 130,
    Verdict.RUNNING: 130,
}
"""Exit codes of `guard loop run`. A session that never ended was interrupted."""


class CauseKind(enum.StrEnum):
    """What a failure comes from, told by evidence."""

    GUARD = "guard"
    """A finding of the guards."""
    BUILD = "deploy-build"
    START = "deploy-start"
    """The service did not start."""
    ENDED = "service-ended"
    """It served, and no longer did when its tests were over."""
    HEALTH = "health"
    REVISION = "revision-mismatch"
    HTTP = "http-status"
    WEBSOCKET_CLOSE = "websocket-close"
    WEBSOCKET_REFUSED = "websocket-refused"
    """The upgrade was answered with an HTTP status."""
    TLS = "tls"
    DNS = "dns"
    REFUSED = "connection-refused"
    RESET = "connection-reset"
    TIMEOUT_CLIENT = "timeout-client"
    TIMEOUT_PROXY = "timeout-proxy"
    TIMEOUT_SERVER = "timeout-server"
    TIMEOUT_TEST = "timeout-test"
    """The test hung and was stopped."""
    SERVICE_ERROR = "service-error"
    """An exception in the service's own log: an import, attribute or syntax error, or another."""
    ASSERTION = "assertion"
    FLAKE = "flake"
    TEST_BUG = "test-bug"
    UNPROVEN = "unproven"
    CRITERION = "criterion"
    UNKNOWN = "unknown"


class Evidence(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something that was seen: where, and its literal text (bounded, redacted)."""

    source: str
    """`log`, `probe`, `test`, `guard`, `git`, `deployer`, `network`."""
    text: str
    place: str = ""
    """A file and line, a URL, a commit, a test: whatever leads back to it."""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that the loop did. `name` is unique within a cycle: `guards`, `select`, `deploy`, `health`,
    `phase:NAME`, `why`, `options`, `rollback`, `health-after-rollback`, `on-failure`, `stability`, `audit`, `record`,
    `publish`."""

    name: str
    cycle: int
    """From 1."""
    outcome: Outcome
    started: float
    ended: float
    summary: str = ""
    """One line."""
    evidence: tuple[Evidence, ...] = ()
    data: Mapping[str, object] = {}
    """What a later step, a resumed session or a page needs of it."""


class Test(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One test, run once."""

    __test__ = False

    id: str
    """pytest's node id."""
    phase: str
    cycle: int
    outcome: TestOutcome
    started: float = 0.0
    duration_s: float = 0.0
    """Of its call; set-up and tear-down left out."""
    peers: tuple[str, ...] = ()
    """What it connected to, as host:port, sorted."""
    bytes_sent: int = 0
    bytes_received: int = 0
    revisions: tuple[str, ...] = ()
    """The revisions that answered it, as far as the answers said."""
    mocked: tuple[str, ...] = ()
    """Names of what was mocked while it ran."""
    swallowed: tuple[str, ...] = ()
    """Connection errors that were raised and that the test went on after."""
    measurements: Mapping[str, tuple[object, ...]] = {}
    """What the test reported with `record_property`, by name, in order."""
    warnings: tuple[str, ...] = ()
    exception: str = ""
    """The type of what it failed with, as `module.Class`."""
    facts: Mapping[str, str] = {}
    """What that exception, and those that it came from, say of a connection: `status`, `close_code`, `closed_by`,
    `close_reason`, `upgrade` (`refused`), `url`, `errno`, `server` (its header), `sent_authorization`, `chain` (their
    types, the outermost first), and `frame`, where it was raised."""
    message: str = ""
    """One line: the exception's own text, or why it was skipped or is unproven."""
    output: str = ""
    """Literal traceback and captured output; only of a test that did not pass. Bounded, redacted."""
    stacks: str = ""
    """Of a test that was stopped: the stacks of its threads and tasks."""
    cause: str = ""
    """The `id` of the cause that it failed of."""


class Why(msgspec.Struct, frozen=True, kw_only=True):
    """One link of a chain of whys. Where evidence does not reach, `answer` is empty and the question stays open."""

    question: str
    answer: str = ""
    evidence: tuple[Evidence, ...] = ()


class Option(msgspec.Struct, frozen=True, kw_only=True):
    """A way out that guard can offer, with what a dry run of it gave."""

    kind: str
    """`fix`, `rollback` or `configuration`."""
    title: str
    command: str = ""
    """What to run to take it."""
    tried: bool = False
    """Whether a dry run was made; if not, the three below are empty."""
    removes: tuple[str, ...] = ()
    """Findings that it removes, as `CODE path: message`."""
    adds: tuple[str, ...] = ()
    leaves: tuple[str, ...] = ()
    note: str = ""


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """What one or more failures come from."""

    id: str
    """Unique within the session: the cycle and a number."""
    kind: CauseKind
    summary: str
    rank: str = "primary"
    """`primary`, `secondary` (came about because of a primary one) or `tertiary`."""
    tests: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    whys: tuple[Why, ...] = ()
    rule: str = ""
    """The code of the rule that should have caught it; empty where there is none."""
    gate: str = ""
    """Which gate would have caught it, and why it did not run or did not hold."""
    options: tuple[Option, ...] = ()


class Criterion(msgspec.Struct, frozen=True, kw_only=True):
    """An expression of the plan, and what came of it."""

    phase: str
    cycle: int
    expression: str
    value: str
    """What was measured, as text; empty where there was nothing."""
    outcome: str
    """`met`, `missed` or `unproven`."""
    message: str = ""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One difference to the last good session."""

    kind: str
    """`now-failing`, `gone`, `slower`, `new-error`, `route-gone`, `route-changed`, `latency`."""
    subject: str
    before: str = ""
    after: str = ""


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """What tests measured in milliseconds under one name, in the last good session and in this one."""

    name: str
    before: tuple[float, float, float]
    """The 50th, 95th and 99th percentile."""
    after: tuple[float, float, float]
    values: int
    """How many there are today."""


class Stability(msgspec.Struct, frozen=True, kw_only=True):
    """This session against the last good one."""

    compared_with: str
    """The id of that session; empty where there is none."""
    score: float
    """0 to 1."""
    formula: str
    changes: tuple[Change, ...] = ()
    latencies: tuple[Latency, ...] = ()


class Audit(msgspec.Struct, frozen=True, kw_only=True):
    """What the guards say of the tree, and the difference to the last good session's."""

    files_found: int
    files_analysed: int
    findings: Mapping[str, int]
    """By rule code."""
    problems: int
    new: tuple[str, ...] = ()
    """Fingerprints that the last good session's tree did not have."""
    fixed: int = 0
    compared_with: str = ""


class Goal(msgspec.Struct, frozen=True, kw_only=True):
    """What was wanted, and what was reached."""

    wanted: str
    reached: str
    met: bool


class Selected(msgspec.Struct, frozen=True, kw_only=True):
    """One test that was selected, and why."""

    id: str
    phase: str
    reason: str


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """One run of the loop, complete."""

    id: str
    plan: Plan
    target: str
    verdict: Verdict
    revision: str = ""
    """The revision that the verdict is bound to."""
    tree: str = ""
    """The commit, and whether the tree had changes."""
    focus: str = ""
    """The options that narrowed the selection, as on the command line."""
    started: float = 0.0
    ended: float = 0.0
    """0 while it runs."""
    cycles: int = 0
    """Begun so far."""
    selection: tuple[Selected, ...] = ()
    steps: tuple[Step, ...] = ()
    tests: tuple[Test, ...] = ()
    """Of all cycles, in the order in which they ended."""
    causes: tuple[Cause, ...] = ()
    criteria: tuple[Criterion, ...] = ()
    stability: Stability | None = None
    audit: Audit | None = None
    goal: Goal | None = None
    shard: str = ""
    """`K/N` where this is one shard of a session."""

    @property
    def exit_code(self) -> int:
        """The exit code of `guard loop run` for this session."""
        return EXIT_CODES[self.verdict]
