"""The values that flow through guard. This module imports nothing from guard.

Everything here is frozen: a value is made once and never changed, so it may be shared between
processes, cached by content and compared in tests.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping

import msgspec


class Severity(enum.StrEnum):
    """How bad a finding is. Only errors and warnings make `guard check` exit with 1."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class Impact(enum.StrEnum):
    """What a finding will hit. Findings are listed in the order of these members."""

    STARTUP = "startup"
    """Reachable by module-level imports from a deployed entry point: the service will not start."""
    RUNTIME = "runtime"
    """Production code, but reached lazily or conditionally."""
    TESTS = "tests"
    TOOLING = "tooling"

    @property
    def rank(self) -> int:
        """Position in the listing, 0 first."""
        return _IMPACT_RANK[self]


_IMPACT_RANK = {impact: rank for rank, impact in enumerate(Impact)}
SEVERITY_RANK = {severity: rank for rank, severity in enumerate(Severity)}


class Gate(enum.StrEnum):
    """Where guard runs; a rule says at which gates it is on by default."""

    PRE_COMMIT = "pre-commit"
    PRE_BUILD = "pre-build"
    IMAGE = "image"
    CI = "ci"


ALL_GATES = tuple(Gate)


class Span(msgspec.Struct, frozen=True, array_like=True):
    """A piece of one file. Lines and columns count from 1; columns count characters, not bytes.

    `end_column` is the column just behind the last character. A finding on a whole file has the
    span `Span(1, 1, 1, 1)`.
    """

    line: int
    column: int = 1
    end_line: int = 0
    end_column: int = 0

    def closed(self) -> Span:
        """The same span with its end filled in where it was left open."""
        if self.end_line:
            return self
        return Span(self.line, self.column, self.line, max(self.end_column, self.column))


WHOLE_FILE = Span(1, 1, 1, 1)


class Related(msgspec.Struct, frozen=True):
    """A second place that a finding speaks of."""

    path: str
    line: int
    message: str


class Fix(msgspec.Struct, frozen=True):
    """What `--fix` would do. The doing itself stands in `guard.fixes`, by rule code."""

    applicability: str
    """`safe` or `unsafe`: an unsafe fix may change what the code does."""
    description: str
    path: str = ""
    """The file that it changes, where that is another one than the finding's."""


class Violation(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule yields: everything that only the rule knows.

    `anchor` is the code at fault in a normal form, without line numbers: two violations of one rule
    in one scope are the same finding in two revisions when their anchors are equal.
    """

    path: str
    span: Span
    message: str
    anchor: str
    symbol: str = ""
    """Qualified name of the enclosing class or function inside the file; empty at module level."""
    cause: str = ""
    """What it will do in production, one or two sentences."""
    help: str = ""
    """The way out, one or two sentences."""
    related: tuple[Related, ...] = ()
    severity: Severity | None = None
    """Set where this one is not of the rule's own severity."""
    fix: Fix | None = None
    lazy: bool = False
    """True when the code at fault runs only when called, so that it cannot stop a start-up."""
    raises: str = ""
    """The exception, one of Python's own, that importing the file certainly ends with because of this; empty where it
    does not. What else cannot be imported then is found by the engine."""
    impact: Impact | None = None
    """Set where the rule knows better than what reaches the file: of a file that is no Python, say."""
    data: Mapping[str, object] = {}


class Extent(msgspec.Struct, frozen=True, array_like=True):
    """How far a place reaches at which an import fails. The file itself counts."""

    modules: int
    """Files that cannot be imported because of it, test files left out."""
    test_files: int
    """Test files that pytest cannot collect because of it."""
    frees: int
    """Of these, the ones that nothing else holds up: they can be collected once this one place is mended."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One verdict on one place, as it is reported."""

    code: str
    slug: str
    severity: Severity
    impact: Impact
    path: str
    span: Span
    message: str
    symbol: str
    fingerprint: str
    cause: str = ""
    help: str = ""
    related: tuple[Related, ...] = ()
    fix: Fix | None = None
    raises: str = ""
    """As `Violation.raises`."""
    extent: Extent | None = None
    """What `raises` reaches; None for a finding that stops no import."""
    data: Mapping[str, object] = {}

    @property
    def sort_key(self) -> tuple[int, int, str, int, int, str, str]:
        """Impact first, then severity, then place: the order of every report."""
        return (
            self.impact.rank,
            SEVERITY_RANK[self.severity],
            self.path,
            self.span.line,
            self.span.column,
            self.code,
            self.fingerprint,
        )


class Problem(msgspec.Struct, frozen=True, order=True):
    """Something that guard could not check. A report with one is never clean.

    `kind` is one of the keys of `PROBLEM_KINDS`.
    """

    path: str
    kind: str
    message: str

    @property
    def fatal(self) -> bool:
        """Whether the run must end with the exit code for "could not check"."""
        return PROBLEM_KINDS[self.kind]


PROBLEM_KINDS: Mapping[str, bool] = {
    # kind: does it make the run end with exit code 3?
    "unreadable": True,
    "missing-object": True,
    "too-large": True,
    "unparsable": True,
    "crash": True,
    "unmerged": True,
    "bad-name": True,
    "not-checked": True,
    "outside-tree": False,
    "submodule": False,
    "lfs-pointer": False,
    "special-file": False,
    "cache": False,
}
"""Every kind of problem. The ones that are not fatal name what a repository leaves out on purpose."""


class Since(msgspec.Struct, frozen=True):
    """What a report was compared with, where it holds only findings that are new."""

    rev: str
    """As the user named it."""
    commit: str
    """The full id of the commit that was compared with."""
    unchanged: int
    """Findings that were there before, and are left out of the report."""
    fixed: int
    """Findings that were there before, and are gone."""


class Broken(msgspec.Struct, frozen=True):
    """The Python files that the findings of a run stop from being imported, sorted."""

    modules: tuple[str, ...] = ()
    """Those that are no test files."""
    test_files: tuple[str, ...] = ()
    """Test files that pytest cannot collect."""

    def only(self, wanted: Callable[[str], bool]) -> Broken:
        """Those of them that `wanted` holds for."""
        return Broken(tuple(filter(wanted, self.modules)), tuple(filter(wanted, self.test_files)))


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of one run, complete: every output format is a function of this value."""

    guard: str
    tree_kind: str
    tree_label: str
    files_found: int
    files_analysed: int
    findings: tuple[Finding, ...]
    problems: tuple[Problem, ...]
    suppressed: int = 0
    baselined: int = 0
    since: Since | None = None
    broken: Broken = Broken()
    kept: Mapping[str, bytes] = {}
    """What is kept of the tree beside the findings, packed, by name: for who compares two trees, or draws one."""
    total_s: float = 0.0
    timings: Mapping[str, float] = {}

    @property
    def exit_code(self) -> int:
        """0 clean, 1 findings, 3 could not check; failing to check outranks findings."""
        if self.files_analysed == 0 or any(problem.fatal for problem in self.problems):
            return 3
        return int(any(finding.severity is not Severity.INFO for finding in self.findings))


class GuardError(Exception):
    """An error that is the user's or the environment's, told in one line: what, where, how to mend.

    `exit_code` is 2 for usage and configuration, 3 for "could not check", 4 for the environment.
    """

    exit_code = 2

    def __init__(self, message: str, exit_code: int | None = None) -> None:
        super().__init__(message)
        if exit_code is not None:
            self.exit_code = exit_code


class ConfigError(GuardError):
    """The configuration is wrong. `errors` holds all of what is wrong, one line each."""

    def __init__(self, errors: list[str]) -> None:
        super().__init__("\n".join(errors))
        self.errors = errors


class CannotCheck(GuardError):
    """Nothing could be checked at all: no such revision, no such tree."""

    exit_code = 3


class EnvironmentFailed(GuardError):
    """Something that guard needs around it is missing or broken: git, ruff."""

    exit_code = 4
