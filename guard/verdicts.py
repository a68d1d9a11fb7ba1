"""From what rules yield to findings: with an identity, a severity and an impact."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping

from guard.config import Config, ignored_in, resolve_severities
from guard.impact import reach_of
from guard.model import Finding, Gate, Impact, Report, Severity, Violation
from guard.program import Program
from guard.registry import Change, Rule, all_rules
from guard.sources.tree import Tree


def findings_of(program: Program, violations: Iterable[tuple[Rule, Violation]]) -> Iterator[Finding]:
    """Findings with impact and fingerprint; the n-th like violation in a file has a fingerprint of its own."""
    violations = list(violations)
    if not violations:
        return
    reach = reach_of(program)
    severities = resolve_severities(program.config, all_rules())
    for number, (rule, violation) in _numbered(violations):
        impact = violation.impact or (
            reach.of(violation.path, lazy=violation.lazy) if rule.impact_aware else reach.kind(violation.path)
        )
        yield _finding(rule, violation, number, impact, _severity(rule, violation, severities, program.config.gate))


def _numbered(violations: Iterable[tuple[Rule, Violation]]) -> Iterator[tuple[int, tuple[Rule, Violation]]]:
    """Violations in order, each with its number among those of its file that are like it."""
    seen: dict[tuple[str, str, str, str], int] = {}
    order = sorted(violations, key=lambda pair: (pair[0].code, pair[1].path, pair[1].span.line, pair[1].span.column))
    for rule, violation in order:
        same = (rule.code, violation.path, violation.symbol, violation.anchor)
        number = seen[same] = seen.get(same, -1) + 1
        yield number, (rule, violation)


def _finding(rule: Rule, violation: Violation, number: int, impact: Impact, severity: Severity) -> Finding:
    return Finding(
        code=rule.code,
        slug=rule.slug,
        severity=severity,
        impact=impact,
        path=violation.path,
        span=violation.span.closed(),
        message=violation.message,
        symbol=violation.symbol,
        fingerprint=fingerprint(rule.code, violation.symbol, violation.anchor, number),
        cause=violation.cause,
        help=violation.help,
        related=violation.related,
        fix=violation.fix,
        raises=violation.raises,
        data=violation.data,
    )


def _severity(
    rule: Rule, violation: Violation, configured: Mapping[str, Severity], gate: Gate | None = None
) -> Severity:
    raised = Severity.ERROR if gate in rule.errors_at else rule.severity
    return configured.get(rule.code) or violation.severity or raised


def fingerprint(code: str, symbol: str, anchor: str, ordinal: int) -> str:
    """The identity of a finding: it survives edits above it and a move of its file. 24 hex digits."""
    parts = (code, symbol, " ".join(anchor.split()), str(ordinal))
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()[:24]


def findings_of_change(
    before: Report, now: Report, tree: Tree, config: Config, codes: frozenset[str], moved: Mapping[str, str]
) -> tuple[Finding, ...]:
    """What is wrong with a change, by the rules that compare two trees: `now` is the report on `tree`, `before` the one
    on an earlier tree, and `moved` gives the earlier path of each file that was moved since."""
    rules = all_rules()
    comparing = [rule for code, rule in rules.items() if code in codes and rule.compare is not None]

    def read(path: str) -> str:
        file = tree.files.get(path)
        content = tree.read(path) if file is not None and not file.is_link else None
        return content.decode("utf-8", "replace") if content is not None else ""

    change = Change(before=before.kept, now=now.kept, moved=moved, read=read)
    violations = [(rule, one) for rule in comparing for one in (rule.compare(change) if rule.compare else ())]
    ignored = ignored_in(config, rules)
    severities = resolve_severities(config, rules)
    findings = []
    for number, (rule, violation) in _numbered(violations):
        impact = violation.impact or Impact.RUNTIME
        finding = _finding(rule, violation, number, impact, _severity(rule, violation, severities, config.gate))
        if finding.code not in ignored(finding.path):
            findings.append(finding)
    return tuple(sorted(findings, key=lambda finding: finding.sort_key))
