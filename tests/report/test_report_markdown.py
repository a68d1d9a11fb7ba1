"""Markdown: read back with a parser, so that nothing in a name or a message can become markup."""

from __future__ import annotations

import html
import re

from hypothesis import given
from markdown_it import MarkdownIt
from report_samples import NOTE, PROBLEMS, QUICK, REPORTS, RUNTIME, STARTUP, finding, report

from guard.model import Impact, Report
from guard.report import RenderContext, render
from guard.report.escape import visible

PARSER = MarkdownIt("commonmark", {"html": True}).enable("table")
OWN_TAGS = {"h3", "h4", "p", "table", "thead", "tbody", "tr", "th", "td", "code", "br", "details", "summary"}


def markdown(given_report: Report, chars: int = 60_000) -> str:
    return render("markdown", given_report, RenderContext(markdown_chars=chars))


def test_page() -> None:
    assert markdown(report(STARTUP, RUNTIME, NOTE, problems=PROBLEMS, baselined=7)) == (
        "### guard: 1 error stops the service from starting\n"
        "\n"
        "42 files analysed of 42 found in 0.2 s; 7 in the baseline; <code>--fix</code> mends 1.\n"
        "\n"
        "| | Start-up | Production code | Scripts and tooling |\n"
        "|---|---|---|---|\n"
        "| IMP | 1 error |  |  |\n"
        "| MID |  | 1 error |  |\n"
        "| TXT |  |  | 1 info |\n"
        "\n"
        "#### Start-up: 1 error\n"
        "\n"
        "| | rule | place | what |\n"
        "|---|---|---|---|\n"
        "| error | IMP002 missing-name | <code>services/billing/app.py:3</code> | billing.mail binds no name"
        " 'InvoiceMailer'<br>The class stands in billing.delivery since 1a2b3c4: from billing.delivery import"
        " InvoiceMailer |\n"
        "\n"
        "#### Could not be checked: 1 problem\n"
        "\n"
        "| kind | path | what |\n"
        "|---|---|---|\n"
        "| too-large | <code>big.py</code> | 12 MB, and the limit is 10 MB |\n"
        "\n"
        "<details><summary>Production code: 1 error</summary>\n"
        "\n"
        "| | rule | place | what |\n"
        "|---|---|---|---|\n"
        "| error | MID001 session-inside-reader | <code>services/billing/app.py:7</code> | SessionMiddleware is added"
        " inside the middleware that reads request.session |\n"
        "\n"
        "</details>\n"
        "\n"
        "<details><summary>Scripts and tooling: 1 info</summary>\n"
        "\n"
        "| | rule | place | what |\n"
        "|---|---|---|---|\n"
        "| info | TXT006 unportable-path | <code>data/con.txt</code> | Windows reserves the name 'con' |\n"
        "\n"
        "</details>\n"
        "\n"
        "<details><summary>1 note on what was left out</summary>\n"
        "\n"
        "| kind | path | what |\n"
        "|---|---|---|\n"
        "| submodule | <code>vendor/lib</code> | another repository, not looked at |\n"
        "\n"
        "</details>\n"
    )


def test_headlines() -> None:
    def headline(given_report: Report) -> str:
        return markdown(given_report).splitlines()[0]

    assert headline(report()) == "### guard: clean"
    assert headline(report(problems=PROBLEMS[1:])) == "### guard: no findings"
    assert headline(report(problems=PROBLEMS)) == "### guard: not everything could be checked"
    assert headline(report(files_analysed=0)) == "### guard: nothing was analysed"
    assert headline(report(RUNTIME, NOTE)) == "### guard: 1 error, 1 info"


def test_nobody_is_mentioned_and_no_issue_is_linked() -> None:
    text = markdown(report(finding(message="ask @team about #12, # not this")))
    assert "@team" not in text
    assert "#12" not in text
    assert "# not this" in text


def test_the_cut_leaves_out_the_least_important() -> None:
    findings = [
        finding(impact=impact, fingerprint=f"{impact}{number}", message="x" * 200)
        for impact in Impact
        for number in range(100)
    ]
    text = markdown(report(*findings, problems=PROBLEMS), 40_000)
    assert len(text) <= 40_000
    shown = {title: rows(text, title) for title in ("Start-up", "Production code", "Tests", "Scripts and tooling")}
    assert shown["Start-up"] == 100
    assert 0 < shown["Production code"] < 100
    assert (shown["Tests"], shown["Scripts and tooling"]) == (0, 0)
    assert f"… and {100 - shown['Production code']} more\n" in text
    assert text.count("… and 100 more\n") == 2
    assert text.count("<details>") == text.count("</details>")


def rows(text: str, title: str) -> int:
    section = re.split(r"(?=^#### |^<details>)", text, flags=re.MULTILINE)
    return sum(part.count("\n| error |") for part in section if title in part.splitlines()[0])


@QUICK
@given(REPORTS)
def test_nothing_in_a_report_becomes_markup(given_report: Report) -> None:
    text = markdown(given_report)
    rendered = PARSER.render(text)
    assert set(re.findall(r"</?([a-z0-9]+)", rendered)) <= OWN_TAGS
    cells = re.findall(r"<tr>\n<td>(?:error|warning|info)</td>\n<td>.*?</td>\n<td>(.*?)</td>\n<td>(.*?)</td>", rendered)
    assert len(cells) == len(given_report.findings)
    read = [html.unescape(what).replace("\u200b", "").partition("<br>")[0].split() for _, what in cells]
    assert read == [visible(one.message).split() for one in given_report.findings]


@QUICK
@given(REPORTS)
def test_it_stays_within_its_length(given_report: Report) -> None:
    assert len(markdown(given_report, 3000)) <= 3000
