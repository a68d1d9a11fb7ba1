"""`guard rule`: its text, its JSON, and what it says of a name that no rule has."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from guard.cli.main import cli
from guard.cli.rule import chosen, rule_document
from guard.model import GuardError
from guard.registry import HEADINGS, all_rules


def output(*arguments: str) -> str:
    result = CliRunner().invoke(cli, ["rule", *arguments])
    assert result.exit_code == 0
    return result.output


def test_all_rules_are_listed_with_severity_gates_and_summary() -> None:
    rows = output().splitlines()
    assert [row.split()[0] for row in rows[1:]] == list(all_rules())
    row = next(row for row in rows if row.startswith("IMP002"))
    assert row.split()[:5] == ["IMP002", "missing-name", "error", "all", "safe"]
    assert row.endswith(all_rules()["IMP002"].summary)
    assert next(row for row in rows if row.startswith("SUP001")).split()[2:6] == [
        "warning",
        "pre-commit,",
        "ci",
        "safe",
    ]


@pytest.mark.parametrize("name", ["IMP002", "imp002", "missing-name", "Missing-Name"])
def test_one_rule_is_explained_in_markdown(name: str) -> None:
    text = output(name)
    assert text == rule_document(all_rules()["IMP002"])
    assert text.startswith("# IMP002 missing-name\n\n")
    assert [line[3:] for line in text.splitlines() if line.startswith("## ")] == list(HEADINGS)


def test_a_family_is_listed() -> None:
    codes = [row.split()[0] for row in output("sup").splitlines()[1:]]
    assert codes == [code for code in all_rules() if code.startswith("SUP")]


def test_the_document_says_what_fix_does() -> None:
    rules = all_rules()
    assert "`--fix` can mend it" in rule_document(rules["SUP001"])
    assert "--fix" not in rule_document(rules["IMP012"])


def test_json_has_everything() -> None:
    document = json.loads(output("IMP002", "--output", "json"))
    rule = all_rules()["IMP002"]
    assert document["schema_version"] == 1
    assert document["rules"] == [
        {
            "code": "IMP002",
            "slug": "missing-name",
            "family": "IMP",
            "severity": "error",
            "gates": ["pre-commit", "pre-build", "image", "ci"],
            "since": rule.since,
            "fixable": "safe",
            "summary": rule.summary,
            "documentation": rule.doc,
        }
    ]
    assert [one["code"] for one in json.loads(output("--output", "json"))["rules"]] == list(all_rules())


def test_an_unknown_name_is_an_error_with_a_guess() -> None:
    with pytest.raises(GuardError, match=r'no rule is called "IMP02", did you mean "IMP002"') as error:
        chosen("IMP02")
    assert error.value.exit_code == 2
    with pytest.raises(GuardError, match=r"\\x1b") as error:
        chosen("\x1b[2Jx")
    assert "\x1b" not in str(error.value)
