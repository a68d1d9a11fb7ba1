"""Reports to render: ones that look real, and ones that a hostile repository could bring about."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st

from guard.model import (
    PROBLEM_KINDS,
    WHOLE_FILE,
    Finding,
    Fix,
    Impact,
    Problem,
    Related,
    Report,
    Severity,
    Since,
    Span,
)
from guard.registry import Rule

QUICK = settings(max_examples=25, deadline=None, derandomize=True, database=None)
"""The same examples in every run, and nothing left on disk."""

BILLING = """import os

from billing.mail import InvoiceMailer, send


def main() -> None:
\tsend(InvoiceMailer(), os.environ["漢字"])
"""


def finding(**changes: object) -> Finding:
    """A start-up error in `BILLING`, changed as told."""
    fields: dict[str, object] = {
        "code": "IMP002",
        "slug": "missing-name",
        "severity": Severity.ERROR,
        "impact": Impact.STARTUP,
        "path": "services/billing/app.py",
        "span": Span(3, 26, 3, 39),
        "message": "billing.mail binds no name 'InvoiceMailer'",
        "symbol": "",
        "fingerprint": "0f3a",
        **changes,
    }
    return Finding(**fields)  # type: ignore[arg-type]


def report(*findings: Finding, **changes: object) -> Report:
    """A report on 42 files, in the order that the engine gives."""
    fields: dict[str, object] = {
        "guard": "0.1.0",
        "tree_kind": "worktree",
        "tree_label": "shop",
        "files_found": 42,
        "files_analysed": 42,
        "findings": tuple(sorted(findings, key=lambda finding: finding.sort_key)),
        "problems": (),
        "total_s": 0.25,
        **changes,
    }
    return Report(**fields)  # type: ignore[arg-type]


def rule(code: str, slug: str, severity: Severity = Severity.ERROR) -> Rule:
    """A documented rule that finds nothing."""
    return Rule(
        code=code,
        slug=slug,
        severity=severity,
        gates=(),
        since="0.1.0",
        fixable="",
        impact_aware=True,
        errors_at=(),
        check=lambda _program: iter(()),
        doc=f"The summary of {code}.\n\n## What it does\nIt looks.\n\n## Bad\n```py\nimport gone\n```",
    )


RULES = {
    "IMP002": rule("IMP002", "missing-name"),
    "MID001": rule("MID001", "session-inside-reader"),
    "TXT006": rule("TXT006", "unportable-path", Severity.WARNING),
}

STARTUP = finding(
    cause="`uvicorn billing.app:app` imports this module, so the container ends with ImportError before it answers.",
    help="The class stands in billing.delivery since 1a2b3c4: from billing.delivery import InvoiceMailer",
    related=(
        Related("billing/mail.py", 1, "the module that no longer binds it"),
        Related("billing/delivery.py", 40, "the same class"),
    ),
    fix=Fix("safe", "import it from billing.delivery"),
    data={"name": "InvoiceMailer", "module": "billing.mail"},
)
RUNTIME = finding(
    code="MID001",
    slug="session-inside-reader",
    impact=Impact.RUNTIME,
    span=Span(7, 7, 7, 22),
    message="SessionMiddleware is added inside the middleware that reads request.session",
    symbol="main",
    fingerprint="11aa",
    cause="Every request fails with AssertionError: SessionMiddleware must be installed.",
)
NOTE = finding(
    code="TXT006",
    slug="unportable-path",
    severity=Severity.INFO,
    impact=Impact.TOOLING,
    path="data/con.txt",
    span=WHOLE_FILE,
    message="Windows reserves the name 'con'",
    fingerprint="22bb",
)
PROBLEMS = (
    Problem("big.py", "too-large", "12 MB, and the limit is 10 MB"),
    Problem("vendor/lib", "submodule", "another repository, not looked at"),
)

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=30) | st.text(
    st.sampled_from("\n\r\t\x00\x1b\x9b\u202e\u2028\ufeff\ufffe\udcff\ud800|`<>&\"'%:,;*_[](){}@#1\\ a漢\u0301"),
    max_size=30,
)
PATHS = st.binary(min_size=1, max_size=20).map(lambda name: name.decode("utf-8", "surrogateescape")) | ANY_TEXT.filter(
    bool
)
POSITIONS = st.integers(1, 60)
SPANS = st.builds(Span, POSITIONS, POSITIONS) | st.builds(
    lambda line, column, more, width: Span(line, column, line + more, column + width),
    POSITIONS,
    POSITIONS,
    st.integers(0, 3),
    st.integers(0, 30),
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(ANY_TEXT, inner, max_size=2),
    max_leaves=4,
)
FINDINGS = st.builds(
    Finding,
    code=st.sampled_from(["IMP002", "MID001", "TXT006", "SYN001"]),
    slug=st.just("some-rule"),
    severity=st.sampled_from(Severity),
    impact=st.sampled_from(Impact),
    path=PATHS,
    span=SPANS,
    message=ANY_TEXT,
    symbol=ANY_TEXT,
    fingerprint=st.sampled_from(["aa", "bb", "aa-2"]),
    cause=ANY_TEXT,
    help=ANY_TEXT,
    related=st.lists(st.builds(Related, PATHS, POSITIONS, ANY_TEXT), max_size=7).map(tuple),
    fix=st.none() | st.builds(Fix, st.sampled_from(["safe", "unsafe"]), ANY_TEXT),
    data=st.dictionaries(ANY_TEXT, VALUES, max_size=3),
)
REPORTS = st.builds(
    Report,
    guard=st.just("0.1.0"),
    tree_kind=st.sampled_from(["worktree", "index", "commit", "directory"]),
    tree_label=ANY_TEXT,
    files_found=st.integers(0, 5),
    files_analysed=st.integers(0, 5),
    findings=st.lists(FINDINGS, max_size=6).map(lambda found: tuple(sorted(found, key=lambda one: one.sort_key))),
    problems=st.lists(
        st.builds(Problem, PATHS | st.just(""), st.sampled_from(sorted(PROBLEM_KINDS)), ANY_TEXT), max_size=4
    ).map(tuple),
    suppressed=st.integers(0, 2),
    baselined=st.integers(0, 2),
    since=st.none() | st.builds(Since, ANY_TEXT, st.just("0" * 40), st.integers(0, 3), st.integers(0, 3)),
    total_s=st.floats(0, 100),
)
