"""The formats of CI systems: GitHub's workflow commands, GitLab's Code Quality, JUnit's XML."""

from __future__ import annotations

import json
import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from report_samples import NOTE, PROBLEMS, QUICK, REPORTS, RUNTIME, STARTUP, finding, report

from guard.model import Impact, Problem, Report, Severity
from guard.report import RenderContext, render
from guard.report.escape import encodable, visible

CONTEXT = RenderContext()


def runner_reads(line: str) -> tuple[str, dict[str, str], str]:
    """A workflow command as the runner reads it: split first, and only then unescape."""
    found = re.fullmatch(r"::(\w+) ([^\r\n]*?)::([^\r\n]*)", line)
    assert found
    command, properties, message = found.groups()
    pairs = (part.split("=", 1) for part in properties.split(","))
    return command, {key: unescape(value) for key, value in pairs}, unescape(message)


def unescape(value: str) -> str:
    for escape, char in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
        value = value.replace(escape, char)
    return value


def test_github() -> None:
    lines = render("github", report(STARTUP, NOTE, problems=PROBLEMS), CONTEXT).splitlines()
    assert lines == [
        (
            "::error file=services/billing/app.py,line=3,col=26,title=IMP002 missing-name::"
            "billing.mail binds no name 'InvoiceMailer'%0A"
            "In production: `uvicorn billing.app:app` imports this module, so the container ends with ImportError"
            " before it answers.%0A"
            "Help: The class stands in billing.delivery since 1a2b3c4: from billing.delivery import InvoiceMailer"
        ),
        "::notice file=data/con.txt,title=TXT006 unportable-path::Windows reserves the name 'con'",
        "::error file=big.py,title=guard could not check this::too-large: 12 MB, and the limit is 10 MB",
        "::notice file=vendor/lib,title=guard left this out::submodule: another repository, not looked at",
    ]
    assert render("github", report(), CONTEXT) == ""


def test_github_escapes() -> None:
    hostile = finding(path="a,b:c=%0A\nd.py", message="50% :: of,\nit ::error::x", severity=Severity.WARNING)
    (line,) = render("github", report(hostile), CONTEXT).splitlines()
    assert line == (
        "::warning file=a%2Cb%3Ac=%250A%0Ad.py,line=3,col=26,title=IMP002 missing-name::50%25 :: of,\\nit ::error::x"
    )
    command, properties, message = runner_reads(line)
    assert (command, properties["file"]) == ("warning", "a,b:c=%0A\nd.py")
    assert message == "50% :: of,\\nit ::error::x"


@QUICK
@given(REPORTS)
def test_github_gives_one_command_each(given_report: Report) -> None:
    lines = render("github", given_report, CONTEXT).split("\n")
    assert lines.pop() == ""
    nothing = given_report.files_analysed == 0
    assert len(lines) == len(given_report.findings) + len(given_report.problems) + nothing
    for finding_given, line in zip(given_report.findings, lines, strict=False):
        _, properties, message = runner_reads(line)
        assert message.split("\n")[0] == visible(finding_given.message)
        if finding_given.path.isprintable():
            assert properties["file"] == finding_given.path


def test_gitlab() -> None:
    tests = finding(impact=Impact.TESTS, fingerprint="cc")
    warning = finding(impact=Impact.TESTS, severity=Severity.WARNING, fingerprint="dd")
    issues = json.loads(render("gitlab", report(STARTUP, RUNTIME, tests, warning, NOTE, problems=PROBLEMS), CONTEXT))
    assert issues[0] == {
        "description": "IMP002 billing.mail binds no name 'InvoiceMailer'",
        "check_name": "IMP002 missing-name",
        "fingerprint": "0f3a",
        "severity": "blocker",
        "location": {"path": "services/billing/app.py", "lines": {"begin": 3}},
    }
    assert [issue["severity"] for issue in issues] == [
        "blocker",
        "critical",
        "major",
        "minor",
        "info",
        "critical",
        "info",
    ]
    assert json.loads(render("gitlab", report(), CONTEXT)) == []


def test_gitlab_fingerprints_are_unique_and_stable() -> None:
    twins = [finding(fingerprint=name) for name in ("aa", "aa", "aa-2", "aa")]
    issues = json.loads(render("gitlab", report(*twins), CONTEXT))
    assert [issue["fingerprint"] for issue in issues] == ["aa", "aa-2", "aa-3", "aa-2-2"]


@QUICK
@given(REPORTS)
def test_gitlab_reads_every_report(given_report: Report) -> None:
    issues = json.loads(render("gitlab", given_report, CONTEXT))
    nothing = given_report.files_analysed == 0
    assert len(issues) == len(given_report.findings) + len(given_report.problems) + nothing
    assert len({issue["fingerprint"] for issue in issues}) == len(issues)
    assert {issue["severity"] for issue in issues} <= {"blocker", "critical", "major", "minor", "info"}
    shown = [issue["location"]["path"] for issue in issues]
    assert shown[: len(given_report.findings)] == [encodable(one.path) for one in given_report.findings]
    assert all(shown)


def junit(given_report: Report) -> ElementTree.Element:
    return ElementTree.fromstring(render("junit", given_report, CONTEXT))


def test_junit() -> None:
    root = junit(report(STARTUP, RUNTIME, NOTE, problems=PROBLEMS))
    assert root.attrib == {
        "name": "guard",
        "tests": "5",
        "failures": "2",
        "errors": "1",
        "skipped": "1",
        "time": "0.250",
    }
    assert [suite.get("name") for suite in root] == ["guard.IMP", "guard.MID", "guard.TXT", "guard"]
    case = root[0][0]
    assert case.attrib == {
        "classname": "IMP002 missing-name",
        "name": "services/billing/app.py:3:26",
        "file": "services/billing/app.py",
        "line": "3",
    }
    (failure,) = case
    assert failure.tag == "failure"
    assert failure.attrib == {
        "type": "IMP002",
        "message": "error [startup]: billing.mail binds no name 'InvoiceMailer'",
    }
    assert "help: The class stands in billing.delivery" in (failure.text or "")
    assert [outcome.tag for outcome in root.findall("testsuite[@name='guard']/testcase/*")] == ["error", "skipped"]


def test_junit_info_passes() -> None:
    root = junit(report(NOTE))
    assert (root.get("tests"), root.get("failures")) == ("1", "0")
    assert "Windows reserves" in (root.findtext("testsuite/testcase/system-out") or "")


@pytest.mark.parametrize(
    ("given_report", "outcome"),
    [
        (report(), "system-out"),
        (report(files_analysed=0), "error"),
        (report(problems=(Problem("", "cache", "not writable"),)), "skipped"),
    ],
)
def test_junit_always_holds_a_case(given_report: Report, outcome: str) -> None:
    root = junit(given_report)
    assert root.get("tests") == "1"
    assert [child.tag for child in root[0][0]] == [outcome]


@QUICK
@given(REPORTS)
def test_junit_is_xml_and_counts_right(given_report: Report) -> None:
    root = junit(given_report)
    failing = sum(one.severity is not Severity.INFO for one in given_report.findings)
    assert int(root.get("failures", "")) == failing == len(root.findall(".//failure"))
    assert int(root.get("errors", "")) == len(root.findall(".//error"))
    assert (given_report.exit_code == 3) is (root.get("errors") != "0")
    names = [case.get("file") for case in root.iter("testcase") if case.get("file") is not None]
    assert sorted(map(str, names)) == sorted(visible(one.path) for one in given_report.findings)
