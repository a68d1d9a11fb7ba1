"""Session pages in Markdown, HTML and JUnit: what they say, and that nothing in a record becomes markup.

That the HTML page reads well, wide and narrow, is for eyes; that nothing on it is wider than the page, for
`test_page_width`.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from html.parser import HTMLParser
from xml.etree import ElementTree

import msgspec
import page_sessions
import pytest

from guard.report.session import render
from guard.report.session.content import bounded, content, duration, headline
from guard.report.session.markdown import cycle_text, escape
from guard.report.session.terminal import terminal
from guard.runner.known import IssueState
from guard.runner.record import Cause, CauseKind, Evidence, Outcome, Session, Verdict, Why

VOID = {"meta", "link", "br", "img", "input"}


class Page(HTMLParser):
    """The elements of a page, their attributes and its text; fails on elements that do not nest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.tags[tag] += 1
        self.attributes += attrs
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """The element that is open must be the one that ends."""
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Note text."""
        self.text += data

    @property
    def ids(self) -> list[str | None]:
        """Every anchor."""
        return [value for name, value in self.attributes if name == "id"]


@pytest.mark.parametrize("name", ["good", "failed", "hostile", "large"])
@pytest.mark.parametrize("form", ["markdown", "html", "junit", "json"])
def test_every_format_is_text_that_can_be_written(form: str, name: str) -> None:
    session: Session = getattr(page_sessions, name)()
    text = render(form, session, [page_sessions.failed("s0")])
    assert text.endswith("\n")
    assert text.encode("utf-8")
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f]", text)
    assert form == "json" or not re.search("[\u202e\u2028]", text)
    assert text == render(form, session, [page_sessions.failed("s0")])


@pytest.mark.parametrize("form", ["markdown", "html"])
def test_a_failed_session_says_all_that_a_reader_asks(form: str) -> None:
    text = render(form, page_sessions.failed(), [page_sessions.good(), page_sessions.failed("s1")])
    plain = Page(text).text if form == "html" else re.sub("&#(\\d+);", lambda m: chr(int(m[1])), text)
    for wanted in (
        "ests failed, rolled back: ImportError in the service",
        "Get the chat through staging",
        "--focus websocket",
        "2026-09-21 14:30:00 UTC",
        "1 min 35 s",
        "not met, 1 of 3 tests",
        "websocket events: 1 failed, 1 passed",
        "$80K MRR: users leave when the chat is silent",
        "0.5 is not 1.0",
        "chat.example:443",
        'assert [event["type"] for event in events] == FIVE',
        "Why did no gate catch it?",
        "no evidence reaches this far",
        "IMP002",
        "pre-commit: not installed in this clone",
        "guard check --fix --select IMP002",
        "removes 1 finding",
        "not tried",
        "0.67 against s2",
        "1 - 1 / 3",
        "now-failing",
        "1,204 of 1,300 files analysed",
        "1 unproven",
        "phase:websocket events",
        "in the plan",
    ):
        assert wanted in plain, wanted


def test_the_html_page_needs_no_network_and_runs_nothing() -> None:
    text = render("html", page_sessions.failed(), [])
    page = Page(text)
    assert not {"script", "link", "img", "iframe", "form", "object"} & page.tags.keys()
    links = [value or "" for name, value in page.attributes if name in ("href", "src", "action")]
    assert links
    assert all(link.startswith("#") for link in links)
    assert "url(" not in text
    assert "@import" not in text
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert ("content", "default-src 'none'; style-src 'unsafe-inline'") in page.attributes


def test_every_link_of_the_html_page_leads_somewhere_and_every_anchor_is_there_once() -> None:
    page = Page(render("html", page_sessions.failed(), [page_sessions.failed("s1")]))
    links = {(value or "")[1:] for name, value in page.attributes if name == "href"}
    assert links <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))


def test_hostile_text_adds_no_element_to_the_html_page() -> None:
    plain, hostile = (
        Page(render("html", session, [page_sessions.good()]))
        for session in (page_sessions.hostile("harmless"), page_sessions.hostile())
    )
    assert hostile.tags == plain.tags
    assert "<script>alert(1)</script>" in hostile.text
    assert "\\x1b[31m" in hostile.text
    assert "{{ 7*7 }}" in hostile.text


def test_hostile_text_stays_text_in_markdown() -> None:
    text = render("markdown", page_sessions.hostile(), [])
    fences = [line for line in text.splitlines() if re.match("`{3,}", line)]
    outside, inside = [], ""
    for line in text.splitlines():
        if inside:
            inside = "" if line == inside else inside
        elif match := re.fullmatch("(`{3,})text", line):
            inside = match[1]
        else:
            outside.append(line)
    assert fences
    assert inside == ""
    shown = "\n".join(outside)
    assert "<script>" not in shown
    assert "```" not in shown
    assert "@someone" not in shown
    assert not re.search(r"#12\b(?!;)", shown)
    rows = [line for line in outside if line.startswith("| ✗ failed")]
    assert rows
    assert all(row.count("|") == 6 for row in rows)


def test_a_good_session_is_as_short_as_it_can_be() -> None:
    text = render("markdown", page_sessions.good(), [])
    assert text.startswith("# ✓ Session s2: goal met: 3 of 3 tests\n")
    assert "## Causes" not in text
    assert "## Next steps" not in text
    assert "## Output" not in text


def test_junit_counts_what_does_not_count_towards_the_goal_as_failed() -> None:
    root = ElementTree.fromstring(render("junit", page_sessions.failed(), []))
    suites = {suite.get("name"): suite for suite in root}
    assert list(suites) == ["websocket events", "agents", "guard.loop"]
    assert (suites["websocket events"].get("tests"), suites["websocket events"].get("failures")) == ("4", "3")
    failure = suites["agents"].find("testcase/failure")
    assert failure is not None
    assert (failure.get("type"), failure.get("message")) == ("unproven", "no connection to the target")
    assert suites["guard.loop"].get("errors") == "0"


def test_junit_has_steps_that_failed_as_errors() -> None:
    session = page_sessions.failed()
    step = page_sessions.step("health", 15, 3, Outcome.FAILED, summary="HTTP 503")
    root = ElementTree.fromstring(render("junit", msgspec.structs.replace(session, steps=(step,)), []))
    error = root.find("testsuite[@name='guard.loop']/testcase[@name='health']/error")
    assert error is not None
    assert error.get("message") == "HTTP 503"


@pytest.mark.parametrize("form", ["markdown", "html", "junit", "json"])
def test_a_thousand_tests_are_written_in_good_time(form: str) -> None:
    session = page_sessions.large()
    started = time.process_time()
    text = render(form, session, [])
    assert time.process_time() - started < 1.0
    assert len(text) < 2_000_000


def test_what_is_long_is_bounded_and_says_so() -> None:
    text = bounded("a" * 3_000 + "b" * 7_000, 3_000)
    assert text.startswith("a" * 1_000)
    assert text.endswith("b" * 2_000)
    assert "7,000 characters left out" in text
    lines = [f"line {number:04}" for number in range(1_000)]
    kept = [line for line in bounded("\n".join(lines), 3_000).splitlines() if "left out" not in line]
    assert len(kept) > 250
    assert set(kept) <= set(lines), "lines are not cut"
    page = content(page_sessions.large(), [])
    assert (len(page.failures), page.more_failures) == (20, 0)


def test_the_headline_says_what_came_of_a_rollback() -> None:
    base = msgspec.structs.replace(page_sessions.failed(), causes=(), goal=None, verdict=Verdict.UNHEALTHY)

    def told(*steps: tuple[str, Outcome]) -> str:
        made = tuple(page_sessions.step(name, 0, 1, outcome) for name, outcome in steps)
        return headline(msgspec.structs.replace(base, steps=made))

    assert told(("health", Outcome.FAILED)) == "unhealthy"
    assert told(("rollback", Outcome.FAILED)) == "unhealthy, and rolling back failed"
    assert told(("rollback", Outcome.SKIPPED)) == "unhealthy, not rolled back"
    back = ("rollback", Outcome.OK)
    assert told(back, ("health-after-rollback", Outcome.OK)) == "unhealthy, rolled back"
    assert told(back, ("health-after-rollback", Outcome.FAILED)) == "unhealthy, rolled back, and still unhealthy"


def test_a_long_cause_is_cut_in_the_headline() -> None:
    session = page_sessions.failed()
    cause = msgspec.structs.replace(session.causes[0], summary="word " * 100)
    told = headline(msgspec.structs.replace(session, causes=(cause,)))
    assert told.endswith("word…")
    assert len(told) < 200


def test_known_issues_are_carried_over_until_they_are_seen_well() -> None:
    broken, well = page_sessions.failed("s1"), page_sessions.good("s3")
    elsewhere = msgspec.structs.replace(page_sessions.failed("s0"), target="other")
    untested = msgspec.structs.replace(page_sessions.good("s2"), tests=())
    states = [issue.state for issue in content(untested, [elsewhere, broken]).known]
    assert states == [IssueState.NOT_CHECKED] * 2
    assert [issue.state for issue in content(well, [broken, untested]).known] == [IssueState.RESOLVED] * 2
    assert content(page_sessions.good("s4"), [broken, untested, well]).known == ()
    again = content(page_sessions.failed("s4"), [broken, untested])
    assert [(issue.first, issue.last, issue.state) for issue in again.known] == [("s1", "s4", IssueState.OPEN)] * 2


def test_how_often_something_was_raised_makes_it_no_other_issue() -> None:
    base = msgspec.structs.replace(page_sessions.good("s1"), verdict=Verdict.TESTS_FAILED)
    once, often = (
        Cause(id="1-1", kind=CauseKind.SERVICE_ERROR, summary=f"the service raised KeyError: 'a'{times}")
        for times in ("", " (2 times)")
    )
    before = msgspec.structs.replace(base, causes=(often,))
    (issue,) = content(msgspec.structs.replace(base, id="s2", causes=(once,)), [before]).known
    assert issue.state is IssueState.OPEN


def test_an_issue_of_the_deploy_is_gone_with_one_that_came_about_and_one_of_the_guards_is_not_by_overriding_them() -> (
    None
):
    base = msgspec.structs.replace(page_sessions.good("s1"), steps=(), tests=())
    found = "IMP002 app/main.py:3: app.events does not define LIMIT"
    started, guards = (
        Cause(id="1-1", kind=kind, summary=said)
        for kind, said in ((CauseKind.START, "app ended"), (CauseKind.GUARD, f"{found}, and 2 more of IMP002"))
    )
    before = msgspec.structs.replace(base, causes=(started, guards), verdict=Verdict.DEPLOY_FAILED)
    overridden = msgspec.structs.replace(
        page_sessions.step("guards", 0, 1, Outcome.FAILED), evidence=(Evidence("guard", found.replace(":3:", ":9:")),)
    )
    now = msgspec.structs.replace(base, id="s2", steps=(overridden, page_sessions.step("deploy", 1, 1)))
    assert [issue.state for issue in content(now, [before]).known] == [IssueState.RESOLVED, IssueState.OPEN]
    failed = page_sessions.step("deploy", 1, 1, Outcome.FAILED)
    now = msgspec.structs.replace(base, id="s2", steps=(failed,))
    assert [issue.state for issue in content(now, [before]).known] == [IssueState.NOT_CHECKED] * 2


def test_a_session_that_runs_or_was_killed_has_phases_that_are_not_through() -> None:
    session = page_sessions.good()
    session = msgspec.structs.replace(
        session, verdict=Verdict.RUNNING, steps=session.steps[:4], tests=session.tests[:1]
    )
    page = content(session, [])
    assert [result.outcome for result in page.results] == ["not through", ""]
    assert dict(page.header)["Exit code"] == "none yet"
    for form in ("markdown", "html"):
        assert "not through" in render(form, session, [])


def test_a_cycle_as_a_comment() -> None:
    text = cycle_text(page_sessions.failed(), 1)
    assert text.startswith("### Cycle 1: 1 failed, 1 unproven, 1 passed\n")
    assert "ImportError" in text


@pytest.mark.parametrize("form", ["markdown", "html"])
def test_evidence_stands_on_a_page_once(form: str) -> None:
    session = page_sessions.failed()
    evidence = Evidence(source="log", text="the very same lines", place="service log")
    why = Why(question="Why?", answer="So it says.", evidence=(evidence,))
    again = [msgspec.structs.replace(cause, evidence=(evidence,), whys=(why, why)) for cause in session.causes]
    text = render(form, msgspec.structs.replace(session, causes=tuple(again)), [])
    assert text.count("the very same lines") == 1
    assert text.count("So it says.") == 4


@pytest.mark.parametrize("form", ["markdown", "html"])
def test_a_phase_that_was_left_out_says_why(form: str) -> None:
    session = page_sessions.failed()
    steps = [
        page_sessions.step("phase:agents", 58, 0.001, Outcome.SKIPPED, summary="not run: the first one failed")
        if step.name == "phase:agents"
        else step
        for step in session.steps
    ]
    left_out = msgspec.structs.replace(session, steps=tuple(steps), tests=session.tests[:2])
    text = render(form, left_out, [])
    results = text[text.index("agents: no tests") :][:200]
    assert "not run: the first one failed" in results
    assert "0.00 s" not in results


def test_names_with_underscores_are_readable_in_the_source_of_markdown() -> None:
    assert escape("tests/test_a.py::test_it__twice") == "tests/test_a.py::test_it__twice"
    assert escape("_private _x_ a_ __init__.py") == "&#95;private &#95;x&#95; a&#95; &#95;&#95;init&#95;&#95;.py"


def test_on_a_terminal_markdown_is_plain_text() -> None:
    text = terminal(
        """# [x] a &amp; b: tests&#95;1

| ✗ failed | <code>a&#96;b</code> | `x &#96; y` |

<details><summary>2 tests &lt;passed&gt;</summary>

someone@​here

````text
literal &amp; <details>
```
````

</details>
""".replace("&amp;", "&#38;", 1)
        .replace("&lt;", "&#60;")
        .replace("&gt;", "&#62;")
    )
    assert (
        text
        == """# [x] a & b: tests_1

| ✗ failed | a`b | `x &#96; y` |

2 tests <passed>

someone@here

````text
literal &amp; <details>
```
````
"""
    )


def test_durations_for_people() -> None:
    assert [duration(value) for value in (0.25, 42, 200, 7_500, -1)] == [
        "0.25 s",
        "42 s",
        "3 min 20 s",
        "2 h 5 min",
        "0.00 s",
    ]
