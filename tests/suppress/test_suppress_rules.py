"""SUP002 and SUP003 over linked comments, and the documentation of all three."""

from __future__ import annotations

import re

import pytest
from suppress_support import RULES, finding, program

from guard.checks.suppressions import FAMILY
from guard.configuration.names import RuleNames
from guard.model import Severity, Violation
from guard.registry import HEADINGS
from guard.rules import sup
from guard.suppress import apply

CHECKS = {"SUP001": sup.unused_suppression, "SUP002": sup.no_reason, "SUP003": sup.unknown_code}


@pytest.fixture(autouse=True)
def _rules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sup, "all_rules", lambda: RULES)


def found(code: str, text: str, path: str = "a.py") -> list[Violation]:
    return list(CHECKS[code](program({path: text})))


@pytest.mark.parametrize("reason", ["r", "#12", "ü"])
def test_any_word_is_a_reason(reason: str) -> None:
    assert found("SUP002", f"x = 1  # guard: ignore[IMP002] {reason}\n") == []


@pytest.mark.parametrize("reason", ["", " ", "  # noqa", "...", " - ", ":"])
def test_no_reason(reason: str) -> None:
    [violation] = found("SUP002", f"x = 1  # guard: ignore[IMP002, EOL]{reason}\n")
    assert violation.message == "ignore[IMP002, EOL] does not say why"
    assert (violation.span.line, violation.span.column) == (1, 8)


def test_what_names_no_rule_needs_no_reason() -> None:
    assert found("SUP002", "x = 1  # guard: ignore\n") == []


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ("ignore[IMP02] r", ['ignore[IMP02]: no rule is called "IMP02", did you mean "IMP002"?']),
        ("ignore[missing-nam]", ['ignore[missing-nam]: no rule is called "missing-nam", did you mean "missing-name"?']),
        ("ignore[IMP002, zzz, zzz, yyy] r", [
            'ignore[IMP002, zzz, zzz, yyy]: no rule is called "zzz"',
            'ignore[IMP002, zzz, zzz, yyy]: no rule is called "yyy"',
        ]),
        ("ignore[ALL] r", ["ignore[ALL]: a comment cannot leave out ALL rules; name those that it means"]),
        ("ignore-file[x\x1b] r", ['ignore-file[x\\x1b]: no rule is called "x\\x1b"']),
        ("ignore", ["ignore names no rule, and has no effect"]),
        ("ignore-file", ["ignore-file names no rule, and has no effect"]),
        ("ignore[IMP002", ["ignore names no rule, and has no effect"]),
        ("ignore[IMP, missing-name, eol001] r", []),
    ],
)  # fmt: skip
def test_unknown_names(text: str, messages: list[str]) -> None:
    assert [violation.message for violation in found("SUP003", f"# guard: {text}\nx = 1\n")] == messages


def test_anchors_hold_no_line_numbers() -> None:
    for code, comment in (("SUP002", "ignore[IMP002]"), ("SUP003", "ignore[IMP9]"), ("SUP003", "ignore")):
        [here] = found(code, f"x = 1  # guard: {comment}\n")
        [below] = found(code, f"\n\n\nx = 1  # guard: {comment}\n")
        assert here.anchor == below.anchor
        assert here.span != below.span


@pytest.mark.parametrize("code", CHECKS)
def test_documentation_is_complete(code: str) -> None:
    from guard.registry import _RULES

    rule = _RULES[code]
    assert all(rule.section(heading) for heading in HEADINGS)
    assert rule.severity is (Severity.ERROR if code == "SUP003" else Severity.WARNING)
    assert rule.fixable == ("safe" if code == "SUP001" else "")


@pytest.mark.parametrize("code", CHECKS)
@pytest.mark.parametrize("heading", ["Bad", "Good"])
def test_examples_of_the_documentation(code: str, heading: str) -> None:
    """The example's imports of `gone` are IMP002, as the import rules would find it."""
    from guard.registry import _RULES

    files = dict(
        re.findall(r"^`([^`]+)`:\n\n```python\n(.*?)^```$", _RULES[code].section(heading), re.MULTILINE | re.DOTALL)
    )
    expected = {
        (path, number, name)
        for path, text in files.items()
        for number, line in enumerate(text.splitlines(), 1)
        for name in line.partition("# <- ")[2].split(", ")
        if name
    }
    assert bool(expected) is (heading == "Bad")
    seen = program(files)
    violations = {
        (violation.path, violation.span.line, name) for name in ("SUP002", "SUP003") for violation in CHECKS[name](seen)
    }
    missing = [
        finding("IMP002", number, path=path)
        for path, text in files.items()
        for number, line in enumerate(text.splitlines(), 1)
        if "import gone" in line
    ]
    outcome = apply(missing, seen.linked(FAMILY), RuleNames(RULES), RULES, files)
    violations |= {(violation.path, violation.span.line, "SUP001") for violation in outcome.unused}
    assert violations == expected
    assert outcome.kept == ()
