"""SARIF against the standard's own schema, and against what GitHub asks of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import given
from jsonschema import Draft7Validator
from report_samples import NOTE, PROBLEMS, QUICK, REPORTS, RULES, RUNTIME, STARTUP, finding, report

from guard.model import Impact, Related, Report, Span
from guard.report import RenderContext, render

SCHEMA = json.loads((Path(__file__).parent / "sarif-schema-2.1.0.json").read_text(encoding="utf-8"))
STANDARD = Draft7Validator(SCHEMA, format_checker=Draft7Validator.FORMAT_CHECKER)
FULL = report(STARTUP, RUNTIME, NOTE, problems=PROBLEMS)


def run_of(given_report: Report, **options: object) -> dict[str, Any]:
    log = json.loads(render("sarif", given_report, RenderContext(rules=RULES, **options)))  # type: ignore[arg-type]
    STANDARD.validate(log)
    (run,) = log["runs"]
    assert isinstance(run, dict)
    return run


def test_a_result() -> None:
    assert run_of(FULL)["results"][0] == {
        "ruleId": "IMP002",
        "ruleIndex": 0,
        "level": "error",
        "message": {
            "text": "billing.mail binds no name 'InvoiceMailer'\n"
            "In production: `uvicorn billing.app:app` imports this module, so the container ends with ImportError"
            " before it answers.\n"
            "Help: The class stands in billing.delivery since 1a2b3c4: from billing.delivery import InvoiceMailer\n"
            "guard check --fix: import it from billing.delivery"
        },
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": "services/billing/app.py", "uriBaseId": "%SRCROOT%"},
                    "region": {"startLine": 3, "startColumn": 26, "endLine": 3, "endColumn": 39},
                }
            }
        ],
        "relatedLocations": [
            {
                "id": 0,
                "physicalLocation": {
                    "artifactLocation": {"uri": "billing/mail.py", "uriBaseId": "%SRCROOT%"},
                    "region": {"startLine": 1},
                },
                "message": {"text": "the module that no longer binds it"},
            },
            {
                "id": 1,
                "physicalLocation": {
                    "artifactLocation": {"uri": "billing/delivery.py", "uriBaseId": "%SRCROOT%"},
                    "region": {"startLine": 40},
                },
                "message": {"text": "the same class"},
            },
        ],
        "partialFingerprints": {"guardFingerprint/v1": "0f3a"},
        "properties": {"impact": "startup", "symbol": "", "fix": "safe"},
    }


def test_rules_carry_their_documentation() -> None:
    rules = run_of(FULL)["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == ["IMP002", "MID001", "TXT006"]
    assert rules[2] == {
        "id": "TXT006",
        "name": "unportable-path",
        "shortDescription": {"text": "The summary of TXT006."},
        "fullDescription": {"text": "It looks.", "markdown": "It looks."},
        "help": {"text": RULES["TXT006"].doc, "markdown": RULES["TXT006"].doc},
        "defaultConfiguration": {"level": "warning"},
        "properties": {"tags": ["TXT"], "problem.severity": "warning"},
    }


def test_every_result_points_at_its_rule_also_at_one_without_documentation() -> None:
    run = run_of(report(STARTUP, RUNTIME, NOTE, finding(code="AAA001", slug="unknown")))
    rules = run["tool"]["driver"]["rules"]
    assert rules[0] == {"id": "AAA001", "name": "unknown"}
    assert {rules[result["ruleIndex"]]["id"] == result["ruleId"] for result in run["results"]} == {True}


def test_levels_and_logical_locations() -> None:
    results = run_of(FULL)["results"]
    assert [result["level"] for result in results] == ["error", "error", "note"]
    assert results[1]["locations"][0]["logicalLocations"] == [{"fullyQualifiedName": "main"}]


def test_columns_are_counted_in_code_points() -> None:
    assert run_of(FULL)["columnKind"] == "unicodeCodePoints"


def test_problems_are_notifications_and_a_fatal_one_makes_the_run_unsuccessful() -> None:
    (invocation,) = run_of(FULL)["invocations"]
    assert invocation["executionSuccessful"] is False
    assert invocation["exitCode"] == 3
    notices = invocation["toolExecutionNotifications"]
    assert [(one["descriptor"]["id"], one["level"]) for one in notices] == [
        ("too-large", "error"),
        ("submodule", "note"),
    ]
    (successful,) = run_of(report(STARTUP, problems=PROBLEMS[1:]))["invocations"]
    assert successful["executionSuccessful"] is True


def test_a_clean_run_has_an_empty_list_of_results() -> None:
    run = run_of(report())
    assert run["results"] == []
    assert "toolExecutionNotifications" not in run["invocations"][0]


def test_the_cap_keeps_the_most_important_and_says_what_it_cut() -> None:
    tests = [finding(impact=Impact.TESTS, fingerprint=str(number)) for number in range(4)]
    run = run_of(report(*tests, NOTE, RUNTIME, STARTUP), sarif_results=3)
    assert [result["properties"]["impact"] for result in run["results"]] == ["startup", "runtime", "tests"]
    (notice,) = run["invocations"][0]["toolExecutionNotifications"]
    assert notice["level"] == "warning"
    assert notice["message"]["text"] == (
        "3 of 7 results are written; the least important are left out: 3 IMP002, 1 TXT006."
    )
    assert len(run_of(report(*tests, NOTE), sarif_results=0)["results"]) == 5


def test_related_places_stay_below_the_limit() -> None:
    places = tuple(Related("a.py", line, "here") for line in range(1, 131))
    (result,) = run_of(report(finding(related=places)))["results"]
    assert len(result["relatedLocations"]) == 100
    assert result["properties"]["omittedRelatedLocations"] == 30


@pytest.mark.parametrize(
    ("name", "uri"),
    [
        (b"a b/#1%.py", "a%20b/%231%25.py"),
        (b"c:/x?.py", "c%3A/x%3F.py"),
        ("naïve.py".encode(), "na%C3%AFve.py"),
        (b"caf\xe9\n.py", "caf%E9%0A.py"),
    ],
)
def test_uris_hold_the_bytes_of_the_name(name: bytes, uri: str) -> None:
    run = run_of(report(finding(path=name.decode("utf-8", "surrogateescape"))))
    written = run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert written == uri
    assert unquote_to_bytes(written) == name


@pytest.mark.parametrize(
    ("span", "region"),
    [
        (Span(1, 1, 1, 1), {"startLine": 1}),
        (Span(4, 2), {"startLine": 4, "startColumn": 2, "endLine": 4, "endColumn": 2}),
        (Span(0, 0, 0, 0), {"startLine": 1, "startColumn": 1, "endLine": 1, "endColumn": 1}),
        (Span(5, 9, 6, 2), {"startLine": 5, "startColumn": 9, "endLine": 6, "endColumn": 2}),
        (Span(5, 9, 4, 2), {"startLine": 5, "startColumn": 9, "endLine": 5, "endColumn": 9}),
    ],
)
def test_regions_are_such_as_the_standard_allows(span: Span, region: dict[str, int]) -> None:
    (result,) = run_of(report(finding(span=span)))["results"]
    assert result["locations"][0]["physicalLocation"]["region"] == region


def test_a_message_cannot_hold_a_link() -> None:
    (result,) = run_of(report(finding(message="see [here](http://example.com)")))["results"]
    assert result["message"]["text"] == "see [here] (http://example.com)"


@QUICK
@given(REPORTS)
def test_every_report_fits_the_standard(given_report: Report) -> None:
    assert len(run_of(given_report)["results"]) == len(given_report.findings)
