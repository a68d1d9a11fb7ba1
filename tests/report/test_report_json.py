"""`json` and `jsonl` against the published schema, which must say what is written: no key more, none less."""

from __future__ import annotations

import json
from importlib.resources import files

import msgspec
import pytest
from hypothesis import given
from jsonschema import Draft202012Validator
from report_samples import NOTE, PROBLEMS, QUICK, REPORTS, RUNTIME, STARTUP, finding, report

from guard.model import PROBLEM_KINDS, Impact, Problem, Report, Severity
from guard.report import RenderContext, render

SCHEMA = json.loads(files("guard").joinpath("schemas/report.schema.json").read_text(encoding="utf-8"))
DOCUMENT = Draft202012Validator(SCHEMA)
LINE = Draft202012Validator({"$ref": "#/$defs/line", "$defs": SCHEMA["$defs"]})
FULL = report(STARTUP, RUNTIME, NOTE, problems=PROBLEMS, suppressed=2, baselined=3)


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)


def test_the_document() -> None:
    document = json.loads(render("json", FULL, RenderContext()))
    assert {key: value for key, value in document.items() if key not in ("findings", "problems")} == {
        "schema_version": 1,
        "guard": "0.1.0",
        "tree": {"kind": "worktree", "label": "shop"},
        "files": {"found": 42, "analysed": 42},
        "suppressed": 2,
        "baselined": 3,
        "since": None,
        "broken": {"modules": 0, "test_files": 0, "mend_first": []},
        "exit_code": 3,
        "timing": {"total_s": 0.25},
    }
    assert document["findings"][0] == {
        "code": "IMP002",
        "slug": "missing-name",
        "severity": "error",
        "impact": "startup",
        "path": "services/billing/app.py",
        "line": 3,
        "column": 26,
        "end_line": 3,
        "end_column": 39,
        "message": "billing.mail binds no name 'InvoiceMailer'",
        "symbol": "",
        "fingerprint": "0f3a",
        "related": [
            {"path": "billing/mail.py", "line": 1, "message": "the module that no longer binds it"},
            {"path": "billing/delivery.py", "line": 40, "message": "the same class"},
        ],
        "help": "The class stands in billing.delivery since 1a2b3c4: from billing.delivery import InvoiceMailer",
        "fix": {"applicability": "safe", "description": "import it from billing.delivery"},
        "data": {"module": "billing.mail", "name": "InvoiceMailer"},
    }
    assert document["findings"][1]["fix"] is None
    assert document["problems"][0] == {
        "path": "big.py",
        "kind": "too-large",
        "message": "12 MB, and the limit is 10 MB",
    }


def test_keys_come_in_the_order_of_the_schema() -> None:
    document = json.loads(render("json", FULL, RenderContext()))
    assert list(document) == SCHEMA["required"] == list(SCHEMA["properties"])
    for name, value in (("finding", document["findings"][0]), ("problem", document["problems"][0])):
        definition = SCHEMA["$defs"][name]
        assert list(value) == definition["required"] == list(definition["properties"])
    assert list(document["findings"][0]["data"]) == ["module", "name"]


def test_the_schema_knows_what_the_model_knows() -> None:
    finding_schema = SCHEMA["$defs"]["finding"]["properties"]
    assert finding_schema["severity"]["enum"] == list(Severity)
    assert finding_schema["impact"]["enum"] == list(Impact)
    assert SCHEMA["$defs"]["problem"]["properties"]["kind"]["enum"] == list(PROBLEM_KINDS)


def test_it_is_indented_by_two_and_not_escaped_beyond_need() -> None:
    text = render("json", report(finding(message="漢字")), RenderContext())
    assert text.startswith('{\n  "schema_version": 1,\n  "guard": "0.1.0",\n')
    assert '"message": "漢字"' in text
    assert text.endswith("}\n")


def test_a_name_that_is_not_utf8_is_written_as_the_schema_says() -> None:
    path = b"caf\xe9.py".decode("utf-8", "surrogateescape")
    hostile = report(
        finding(path=path, data={"names": (path, {path: path}), "set": frozenset("ba")}),
        problems=(Problem(path, "unreadable", path),),
    )
    document = json.loads(render("json", hostile, RenderContext()))
    shown = "caf\\xe9.py"
    assert document["findings"][0]["path"] == shown
    assert document["findings"][0]["data"] == {"names": [shown, {shown: shown}], "set": ["a", "b"]}
    assert document["problems"] == [{"path": shown, "kind": "unreadable", "message": shown}]


def test_lines() -> None:
    lines = [json.loads(line) for line in render("jsonl", FULL, RenderContext()).splitlines()]
    assert [line["type"] for line in lines] == ["finding"] * 3 + ["problem"] * 2 + ["summary"]
    document = json.loads(render("json", FULL, RenderContext()))
    assert [{**line, "type": ""} for line in lines[:3]] == [{**one, "type": ""} for one in document["findings"]]
    summary = lines[-1]
    assert (summary["findings"], summary["problems"], summary["exit_code"]) == (3, 2, 3)
    assert next(iter(lines[0])) == next(iter(summary)) == "type"
    assert list(summary)[1:] == list(SCHEMA["$defs"]["summary"]["properties"])


def test_a_clean_report_still_has_its_summary_line() -> None:
    lines = render("jsonl", report(), RenderContext()).splitlines()
    assert len(lines) == 1
    assert json.loads(lines[0])["exit_code"] == 0


@QUICK
@given(REPORTS)
def test_every_report_fits_the_schema(given_report: Report) -> None:
    DOCUMENT.validate(json.loads(render("json", given_report, RenderContext())))
    text = render("jsonl", given_report, RenderContext())
    lines = text.split("\n")
    assert lines.pop() == ""
    for line in lines:
        LINE.validate(json.loads(line))


@pytest.mark.parametrize("key", ["line", "fix", "data"])
def test_the_schema_refuses_a_finding_without(key: str) -> None:
    document = json.loads(render("json", FULL, RenderContext()))
    del document["findings"][0][key]
    assert not DOCUMENT.is_valid(document)


def test_the_order_of_data_does_not_show() -> None:
    one = msgspec.structs.replace(STARTUP, data={"a": {"x": 1, "y": 2}, "b": 1})
    other = msgspec.structs.replace(STARTUP, data={"b": 1, "a": {"y": 2, "x": 1}})
    assert render("json", report(one), RenderContext()) == render("json", report(other), RenderContext())
