"""Every example in tests/cases, and every example in a rule's documentation."""

from __future__ import annotations

from pathlib import Path

import pytest

from guard import fixing
from guard.config import load
from guard.engine import Options, check
from guard.model import Report
from guard.registry import HEADINGS, Rule, all_rules
from guard.since import base_of, moved_files
from guard.sources.directory import DirectoryTree
from guard.sources.git import discover
from guard.sources.tree import Tree
from guard.sources.worktree import WorkTree
from guard.verdicts import findings_of_change
from tests.markdown_cases import Case, case_of, cases_in

CASES = Path(__file__).parent / "cases"


def _documented() -> list[tuple[str, Case]]:
    found = []
    for code, rule in all_rules().items():
        for heading in ("Bad", "Good"):
            text = rule.section(heading)
            if text:
                found.append((code, case_of(f"{code} {heading}", text)))
    return found


def _written() -> list[tuple[str, Case]]:
    found = []
    for path in sorted(CASES.glob("*/*.md")):
        found.extend((path.stem.partition("-")[0], case) for case in cases_in(path.read_text(encoding="utf-8")))
    return found


def _id(value: object) -> str:
    return value.name.replace(" ", "-") if isinstance(value, Case) else str(value)


def _open(folder: Path) -> Tree:
    git = discover(str(folder))
    return DirectoryTree(str(folder)) if git is None else WorkTree(git)


def _check(tree: Tree, family: str) -> Report:
    """The report of one family. Comments are judged by what every rule finds, so for SUP all rules run."""
    rules = all_rules()
    config = load(tree, rules=rules)
    codes = frozenset(code for code, rule in rules.items() if family in (rule.family, "SUP"))
    return check(tree, config, codes, Options(jobs=1))


def _changed(tree: Tree, report: Report, family: str) -> set[tuple[str, int, str]]:
    """What is wrong with the change since the commit."""
    assert tree.git is not None
    base = base_of(tree.git, "HEAD", tree)
    rules = all_rules()
    config = load(tree, rules=rules)
    codes = frozenset(code for code, rule in rules.items() if rule.family == family)
    findings = findings_of_change(_check(base, family), report, tree, config, codes, moved_files(base, tree))
    return {(finding.path, finding.span.line, finding.code) for finding in findings}


def _found(report: Report, family: str) -> set[tuple[str, int, str]]:
    return {(f.path, f.span.line, f.code) for f in report.findings if f.code.startswith(family)}


@pytest.mark.parametrize(("code", "case"), [*_documented(), *_written()], ids=_id)
def test_case(code: str, case: Case, tmp_path: Path) -> None:
    family = code.rstrip("0123456789")
    case.write(tmp_path)
    tree = _open(tmp_path)
    report = _check(tree, family)
    found = _found(report, family)
    if case.before:
        found |= _changed(tree, report, family)
    assert found == case.expected
    assert {problem.kind for problem in report.problems if problem.fatal} <= {"unparsable"}
    if case.fixed:
        outcome = fixing.fix(tree, report, lambda on: _check(on, family), unsafe=False)
        after = {path: outcome.changes.get(path, case.files.get(path)) for path in case.fixed}
        assert after == dict(case.fixed)
        again = fixing.fix(
            fixing.OverlayTree(tree, outcome.changes), outcome.report, lambda on: _check(on, family), unsafe=False
        )
        assert not again.changes


@pytest.mark.parametrize("rule", all_rules().values(), ids=lambda rule: rule.code)
def test_rule_is_documented(rule: Rule) -> None:
    headings = [line.removeprefix("## ") for line in rule.doc.splitlines() if line.startswith("## ")]
    assert headings == list(HEADINGS)
    assert rule.summary.endswith(".")
    assert all(rule.section(heading) for heading in HEADINGS)
    assert case_of("bad", rule.section("Bad")).expected
    assert not case_of("good", rule.section("Good")).expected


@pytest.mark.parametrize("rule", all_rules().values(), ids=lambda rule: rule.code)
def test_rule_has_cases_in_a_file(rule: Rule) -> None:
    path = CASES / rule.family.lower() / f"{rule.code}.md"
    assert path.is_file(), f"{rule.code} has no cases in tests/cases"
    cases = list(cases_in(path.read_text(encoding="utf-8")))
    assert any(rule.code in {code for _, _, code in case.expected} for case in cases)
    assert any(not case.expected for case in cases), "a rule needs cases in which it stays silent"


def test_no_orphan_cases() -> None:
    codes = {path.stem.partition("-")[0] for path in CASES.glob("*/*.md")}
    assert codes <= set(all_rules())


def test_slugs_are_unique() -> None:
    slugs = [rule.slug for rule in all_rules().values()]
    assert len(slugs) == len(set(slugs))
