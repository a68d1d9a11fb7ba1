"""What comments leave out, and which of them leave out nothing."""

from __future__ import annotations

import pytest
from suppress_support import NAMES, RULES, finding, program

from guard.checks.suppressions import FAMILY
from guard.model import Finding, Fix, Span
from guard.suppress import Applied, apply


def applied(
    files: dict[str, str],
    findings: list[Finding],
    enabled: str = " ".join(RULES),
    judged: set[str] | None = None,
) -> Applied:
    suppressions = program(files).linked(FAMILY)
    return apply(findings, suppressions, NAMES, frozenset(enabled.split()), files if judged is None else judged)


@pytest.mark.parametrize("name", ["IMP002", "imp002", "IMP", "missing-name", "EOL001, IMP002", "nonsense, IMP002"])
def test_a_finding_is_left_out_by_code_family_or_slug(name: str) -> None:
    outcome = applied({"a.py": f"x = 1  # guard: ignore[{name}] r\n"}, [finding("IMP002", 1)])
    assert (outcome.kept, outcome.suppressed) == ((), 1)


@pytest.mark.parametrize("name", ["IMP001", "EOL", "ALL", "nonsense", ""])
def test_a_finding_of_another_rule_stays(name: str) -> None:
    found = finding("IMP002", 1)
    outcome = applied({"a.py": f"x = 1  # guard: ignore[{name}] r\n"}, [found])
    assert (outcome.kept, outcome.suppressed) == ((found,), 0)


def test_other_lines_and_other_files_stay_in_their_order() -> None:
    findings = [finding("IMP002", 3), finding("IMP002", 2), finding("IMP002", 2, path="b.py"), finding("IMP001", 2)]
    outcome = applied({"a.py": "\nx = 1  # guard: ignore[IMP002] r\n\n", "b.py": ""}, findings)
    assert outcome == Applied((findings[0], *findings[2:]), 1, ())


def test_a_whole_file() -> None:
    findings = [finding("EOL001", 1), finding("EOL001", 9, 12), finding("IMP002", 2)]
    outcome = applied({"a.py": "# guard: ignore-file[EOL] r\nx = 1\n"}, findings)
    assert outcome == Applied((findings[2],), 2, ())


# SUP001


def test_an_unused_comment_is_a_violation_with_a_fix() -> None:
    [unused] = applied({"a.py": "x = 1  # guard: ignore[IMP002] r  # noqa\n"}, []).unused
    assert (unused.path, unused.span) == ("a.py", Span(1, 8, 1, 33))
    assert unused.message == "ignore[IMP002]: no finding of IMP002 in the code that it stands at"
    assert unused.fix == Fix("safe", "remove the comment")
    assert unused.data == {"names": ["IMP002"], "replacement": ""}


@pytest.mark.parametrize(
    ("path", "line", "replacement"),
    [
        ("a.py", "x = 1  #guard:ignore[EOL,IMP001 , IMP002]: why", "# guard: ignore[EOL, IMP002] why"),
        ("a.py", "# guard: ignore-file[EOL, IMP001, IMP002]", "# guard: ignore-file[EOL, IMP002]"),
        ("a.md", "<!--guard: ignore[EOL, IMP001, IMP002] why-->", "<!-- guard: ignore[EOL, IMP002] why -->"),
    ],
)
def test_of_several_names_only_the_unused_ones_go(path: str, line: str, replacement: str) -> None:
    used = [finding("EOL001", 1, path=path), finding("IMP002", 1, path=path)]
    [unused] = applied({path: f"{line}\n"}, used).unused
    assert unused.data == {"names": ["IMP001"], "replacement": replacement}
    assert unused.fix == Fix("safe", "remove IMP001 from the comment")


@pytest.mark.parametrize(
    ("name", "enabled", "unused"),
    [
        ("IMP002", "IMP002 SUP001", True),
        ("IMP002", "IMP002", False),  # SUP001 is off
        ("IMP002", "IMP001 SUP001", False),  # the rule did not run
        ("missing-name", "IMP001 SUP001", False),
        ("IMP", "IMP001 SUP001", False),  # not the whole family ran
        ("IMP", "IMP001 IMP002 SUP001", True),
        ("nonsense", "IMP001 IMP002 SUP001", False),  # that is SUP003
        ("ALL", "IMP001 IMP002 SUP001", False),
        ("SUP001", "IMP001 SUP001 SUP002 SUP003", False),
        ("SUP003", "IMP001 SUP001 SUP002 SUP003", True),  # it can never leave anything out
        ("SUP", "IMP001 SUP001 SUP002 SUP003", True),
    ],
)
def test_only_what_ran_is_judged(name: str, enabled: str, unused: bool) -> None:
    outcome = applied({"a.py": f"x = 1  # guard: ignore[{name}] r\n"}, [], enabled)
    assert bool(outcome.unused) is unused


def test_only_files_in_scope_are_judged() -> None:
    files = {"a.py": "x = 1  # guard: ignore[IMP002] r\n", "b.py": "x = 1  # guard: ignore[IMP002] r\n"}
    assert [unused.path for unused in applied(files, [], judged={"b.py"}).unused] == ["b.py"]
    assert applied(files, [finding("IMP002", 1)], judged=set()) == Applied((), 1, ())


def test_every_comment_that_covers_a_finding_is_used() -> None:
    text = "# guard: ignore-file[IMP] r\n# guard: ignore[IMP002] r\nx = 1  # guard: ignore[missing-name] r\n"
    assert applied({"a.py": text}, [finding("IMP002", 3)]) == Applied((), 1, ())


def test_a_misplaced_ignore_file_leaves_nothing_out_and_is_told_even_where_its_rule_is_off() -> None:
    found = finding("IMP002", 1)
    outcome = applied({"a.py": "x = 1\n# guard: ignore-file[IMP002] r\n"}, [found], "IMP001 SUP001")
    assert outcome.kept == (found,)
    [unused] = outcome.unused
    assert unused.message == "ignore-file[IMP002] has no effect here"
    assert unused.fix is None


# Comments about comments


@pytest.mark.parametrize(
    ("comment", "code", "left_out"),
    [
        ("ignore[IMP002, SUP002]", "SUP002", True),
        ("ignore[IMP002, no-reason]", "SUP002", False),
        ("ignore[IMP002, SUP]", "SUP002", False),
        ("ignore[SUP003]", "SUP003", False),
    ],
)
def test_only_two_of_the_hygiene_rules_can_be_left_out_and_only_by_code(
    comment: str, code: str, left_out: bool
) -> None:
    outcome = applied({"a.py": f"x = 1  # guard: {comment}\n"}, [finding(code, 1)])
    assert bool(outcome.suppressed) is left_out
    assert bool(outcome.kept) is not left_out


@pytest.mark.parametrize(
    "text",
    [
        "x = 1  # guard: ignore[IMP002, SUP001] only on Windows\n",
        "# guard: ignore-file[SUP001] generated\nx = 1  # guard: ignore[IMP002] r\n",
        "# guard: ignore[SUP001] generated\nx = 1  # guard: ignore[IMP002] r\n",
    ],
)
def test_an_unused_comment_may_be_meant(text: str) -> None:
    assert applied({"a.py": text}, []) == Applied((), 1, ())


def test_equal_comments_on_one_line_are_told_apart_by_column() -> None:
    text = "x = 1  # guard: ignore[IMP002] r  # guard: ignore[IMP001] r\n"
    [unused] = applied({"a.py": text}, [finding("IMP002", 1)]).unused
    assert unused.span.column == 35


def test_names_from_a_hostile_file_are_made_printable() -> None:
    [unused] = applied({"a.py": "x = 1\n# guard: ignore-file[IMP002] \x1b[31m\n"}, []).unused
    assert unused.message.isprintable()
