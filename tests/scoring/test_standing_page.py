"""`html` of `guard report`: what is on the page, that it stays small, and that no name in a repository is markup."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from typing import Any

import msgspec
import page_samples
import pytest
from hypothesis import given
from page_samples import HOSTILE, SHOWN, page
from scoring_support import QUICK, TREES, Contents, SampleTree, appraised

from guard.checks.application_views import unpacked
from guard.model import Impact, Span
from guard.report.standing.html import LIMIT
from guard.report.standing.html.duplicates import duplicates
from guard.report.standing.html.findings import Data, findings_data, part_of, script_json
from guard.report.standing.html.hot_spots import hot_spots
from guard.report.standing.html.onions import onions
from guard.report.standing.html.stacks import pictures
from guard.report.standing.html.trend import trend


class Reader(HTMLParser):
    """What a browser makes of a page: its elements with their attributes, scripts and styles by name, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.inside: dict[str, list[str]] = {"script": [], "style": []}
        self.text = ""
        self._open = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._open = tag
        if tag in ("td", "th"):
            self.text += " "
        if tag in self.inside:
            self.inside[tag].append("")

    def handle_endtag(self, tag: str) -> None:
        self._open = ""

    def handle_data(self, data: str) -> None:
        if self._open in self.inside:
            self.inside[self._open][-1] += data
        else:
            self.text += data


def data_of(html: str) -> Any:
    """The data for the script of a page."""
    return json.loads(Reader(html).inside["script"][0])


def test_it_says_where_the_repository_stands() -> None:
    text = " ".join(Reader(page(page_samples.usual())).text.split())
    appraisal, _ = page_samples.usual()
    assert f"Grade {appraisal.standing.grade}: " in text
    assert "Failed: the score is under 99." in text
    assert "since main (1f1f1f1f1f1f), which had 75.00: 1 new, 1 fixed, 2 unchanged" in text
    assert "The score is the mean of the categories by weight (compiles 25, imports 25" in text
    assert "Not in the score: environment" in text
    assert "All 7 files were analysed." in text
    assert "The score over 5 commits" in text
    assert "a hollow one could not be read wholly" in text
    assert "shop.gone 2 2 3" in text, "a hot spot: two files, both in production, three findings"
    assert "Tenant outside SessionMiddleware" in text
    assert "return self.amount / 1.2" in text
    assert "rate = 1.25" in text


def test_a_tree_without_findings_and_one_without_anything() -> None:
    clean = " ".join(Reader(page((appraised(SampleTree({"a.py": b"x = 1\n"})), {}))).text.split())
    assert "Grade A: 100.00 of 100" in clean
    assert "Nothing was found." in clean
    nothing = " ".join(Reader(page((appraised(SampleTree({})), {}))).text.split())
    assert "Nothing to score" in nothing
    assert "Nothing was found, and nothing was looked at." in nothing
    partly = SampleTree({"a.py": b"x = 1\n", "b.py": b"y = 1\n"}, ["b.py"])
    text = " ".join(Reader(page((appraised(partly), {}))).text.split())
    assert "Nothing was found, but not everything could be checked." in text
    assert "Not everything could be checked: 1 problem" in text
    assert "Up to 100.00 if what could not be analysed is clean." in text
    assert "All 2 files were analysed" not in text


def test_nothing_in_a_repository_becomes_markup() -> None:
    usual, hostile = (Reader(page(sample())) for sample in (page_samples.usual, page_samples.hostile))
    assert {name for name, _ in hostile.elements} <= {name for name, _ in usual.elements} | {"th", "td"}
    for name, attributes in hostile.elements:
        assert not any(key.startswith("on") or key in ("style", "src", "href", "srcdoc") for key in attributes) or (
            name in ("a", "link")
        ), (name, attributes)
    assert all((attrs["href"] or "").startswith("#") for name, attrs in hostile.elements if name == "a")
    assert hostile.text.count(SHOWN) > 15
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u2028\u2029]", hostile.text)
    assert len(hostile.inside["script"]) == 2, "the data, and the script"
    assert hostile.inside["style"] == usual.inside["style"]
    assert hostile.inside["script"][1] == usual.inside["script"][1]


def test_nothing_in_the_data_ends_it_or_is_unseen() -> None:
    html = page(page_samples.hostile())
    inside = Reader(html).inside["script"][0]
    assert not re.search("[<>&\u2028\u2029]", inside)
    data = json.loads(inside)
    assert SHOWN in data["texts"]
    assert HOSTILE not in data["texts"]
    assert SHOWN in data["packages"]
    assert any(SHOWN in text for pieces in data["code"].values() for _, text in pieces)
    html.encode("utf-8")


def test_the_policy_lets_in_only_the_style_and_the_script_of_the_page() -> None:
    reader = Reader(page(page_samples.hostile()))
    policy = next(a["content"] for _, a in reader.elements if a.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    for name, text in (("script-src", reader.inside["script"][1]), ("style-src", reader.inside["style"][0])):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert rules[name] == f"'sha256-{digest}'"
    assert "unsafe" not in policy
    assert "http" not in policy


def test_it_fetches_nothing() -> None:
    html = page(page_samples.usual())
    assert not re.search(r"https?://|url\(|@import|<iframe|<img|<object|<embed", html)


def test_two_runs_give_the_same_bytes() -> None:
    assert page(page_samples.usual()) == page(page_samples.usual())


@QUICK
@given(contents=TREES)
def test_every_finding_of_every_tree_is_on_its_page(contents: Contents) -> None:
    appraisal = appraised(SampleTree(contents, [min(contents)]))
    texts = page_samples.sources(dict(contents))
    data = data_of(page((appraisal, texts))) if appraisal.report.findings else {"findings": []}
    rows = [
        (data["rules"][row[0]][0], data["texts"][row[4]], data["texts"][row[6]], row[3]) for row in data["findings"]
    ]
    part = part_of([*sorted(one.name for one in appraisal.standing.packages if one.name != "."), "."])
    names = data.get("packages", [])
    assert [(code, path, message, names[number]) for code, path, message, number in rows] == [
        (one.code, one.path, one.message.replace("\r", "\\r"), part(one.path)) for one in appraisal.report.findings
    ]


def test_the_code_of_a_finding_is_that_of_its_line() -> None:
    data = data_of(page(page_samples.usual()))
    at = next(row for row in data["findings"] if data["rules"][row[0]][0] == "SYN004")
    assert data["code"][str(at[4])] == [[1, "def test_nothing():\n    assert undefined_name"]]
    assert at[5] == 2
    assert at[14] == [1, 0, len("    assert "), len("undefined_name")]


def test_thousands_of_findings_all_with_their_code_stay_small() -> None:
    html = page(page_samples.thousands())
    data = data_of(html)
    assert len(data["findings"]) == 12_000
    assert data["left_out"] == data["without_code"] == 0
    assert 2_000_000 < len(html.encode()) <= LIMIT < 5_000_000


def test_what_has_no_room_is_counted() -> None:
    appraisal, texts = page_samples.thousands(60_000)
    html = page((appraisal, texts))
    data = data_of(html)
    assert len(html.encode()) <= LIMIT
    assert 10_000 < len(data["findings"]) < 60_000
    assert data["left_out"] == 60_000 - len(data["findings"])
    assert f"the others ({data['left_out']:,}) have no room" in Reader(html).text
    shown = [data["texts"][row[6]] for row in data["findings"]]
    assert shown == [one.message for one in appraisal.report.findings[: len(shown)]], "the first ones are kept"


def test_room_is_counted_in_bytes_whatever_the_script() -> None:
    appraisal, texts = page_samples.thousands()
    wide = {path: text.replace("code", "代码代码代码代码") for path, text in texts.items()}
    html = page((appraisal, wide))
    assert len(html.encode()) <= LIMIT
    assert len(data_of(html)["findings"]) == 12_000


def test_all_are_shown_less_code_before_some_are_shown_none() -> None:
    _, texts = page_samples.thousands(1, 300)
    findings = [page_samples.finding(path=path, span=Span(50, 5, 50, 12), message="m") for path in texts]

    def data(room: int) -> Data:
        return findings_data(findings, (), ["."], dict.fromkeys(Impact, ""), texts, {}, room)

    full, size = data(10**6), len(script_json(data(10**6)))
    less, least = data(size * 3 // 4), data(size * 3 // 10)
    assert {tuple(row[-1][:2]) for row in full.findings} == {(2, 2)}  # type: ignore[index]
    assert {tuple(row[-1][:2]) for row in less.findings} == {(1, 1)}  # type: ignore[index]
    assert len(script_json(less)) <= size * 3 // 4
    assert (full.without_code, less.without_code, least.left_out) == (0, 0, 0)
    assert 0 < least.without_code == sum(not row[-1] for row in least.findings)
    assert len(script_json(least)) <= size * 3 // 10


def test_any_number_of_packages_stays_small() -> None:
    appraisal, _ = page_samples.usual()
    name = "p" * 190
    package = appraisal.standing.packages[0]
    packages = tuple(msgspec.structs.replace(package, name=f"{name}{at}") for at in range(40_000))
    findings = [page_samples.finding(at, path=f"{name}{at}/x.py") for at in range(40_000)]
    appraisal = page_samples.with_findings(appraisal, *findings)
    standing = msgspec.structs.replace(appraisal.standing, packages=packages)
    html = page((msgspec.structs.replace(appraisal, standing=standing), {}))
    assert len(html.encode()) <= LIMIT
    assert "and 39,600 more packages" in html


def test_findings_give_way_to_the_rest_of_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("guard.report.standing.html.DATA_ROOM", LIMIT * 3 // 2)
    html = page(page_samples.thousands(60_000))
    assert LIMIT - 300_000 < len(html.encode()) <= LIMIT
    assert data_of(html)["left_out"] > 0


def test_endless_words_do_not_make_it_endless() -> None:
    appraisal, texts = page_samples.usual()
    long = page_samples.finding(1, message="m" * 3_000_000, help="h" * 3_000_000)
    lifts = (msgspec.structs.replace(appraisal.standing.lifts[0], findings=(long,)),)
    appraisal = page_samples.with_findings(appraisal, long)
    standing = msgspec.structs.replace(appraisal.standing, lifts=lifts)
    history = tuple(msgspec.structs.replace(point, subject="s" * 3_000_000) for point in appraisal.history)
    html = page((msgspec.structs.replace(appraisal, standing=standing, history=history), texts))
    assert len(html) < 200_000


def test_a_hot_spot_is_what_several_files_miss() -> None:
    appraisal, _ = page_samples.usual()
    spots = hot_spots(appraisal.report.findings)
    assert [(one.label, one.files, one.production, len(one.findings)) for one in spots] == [("shop.gone", 2, 2, 3)]


def test_an_onion_has_what_reads_outside_of_what_provides() -> None:
    read = page_samples.finding(1, code="MID005", data={"part": "session", "reader": "A", "provider": "B"})
    order = page_samples.finding(2, code="MID001", data={"outer": "A", "inner": "B"})
    other = page_samples.finding(3, code="MID004", data={})
    assert [(one.outer, one.inner, len(one.findings)) for one in onions([read, order, other])] == [("A", "B", 2)]


def test_duplicates_stand_side_by_side_with_what_only_one_of_them_has() -> None:
    appraisal, texts = page_samples.usual()
    (found,), more = duplicates(appraisal.report.findings, texts)
    assert (found.name, found.copies, more) == ("Price", 1, 0)
    assert [(one.path, one.kind) for one in found.definitions] == [
        ("shop/prices.py", "canonical"),
        ("shop/invoices.py", "diverged copy"),
    ]
    alone = [[line.text.strip() for line in one.code if line.alone] for one in found.definitions]
    assert alone == [["return self.amount / 1.2"], ["rate = 1.25", "return self.amount / rate"]]


def test_a_long_definition_is_cut_and_says_so() -> None:
    body = "class Long:\n" + "".join(f"    name_{at} = {at}\n" for at in range(100)) + "\n\nafter = 1\n"
    of = {"code": "SSOT001", "message": "…"}
    data = {"name": "Long", "canonical": "a.py"}
    first = page_samples.finding(1, **of, path="a.py", span=Span(1), data={**data, "kind": "canonical"})
    copy = page_samples.finding(2, **of, path="b.py", span=Span(1), data={**data, "kind": "same body"})
    (found,), _ = duplicates([first, copy], {"a.py": body, "b.py": body})
    assert [(len(one.code), one.more) for one in found.definitions] == [(40, 61), (40, 61)]
    assert not any(line.alone for one in found.definitions for line in one.code)
    assert duplicates([copy], {"b.py": body}) == ([], 0), "nothing stands beside it"


def test_the_trend_goes_up_where_the_score_does() -> None:
    appraisal, _ = page_samples.usual()
    drawn = trend(appraisal.history)
    assert drawn is not None
    heights = [dot.y for dot in drawn.dots]
    assert heights == sorted(heights, reverse=True)
    assert len(set(heights)) == 5
    assert (drawn.low, drawn.high) == (61.0, 65.0)
    assert [label for _, label in drawn.scale] == ["61", "62", "63", "64", "65"]
    flat = trend(appraisal.history[:1])
    assert flat is not None
    assert 3 <= len(flat.scale) <= 6
    assert float(flat.scale[-1][1]) - float(flat.scale[0][1]) >= 1, "hardly a change is no cliff"
    assert trend(()) is None


def test_the_stacks_of_middleware_are_drawn() -> None:
    reader = Reader(page(page_samples.usual()))
    text = " ".join(reader.text.split())
    assert "Tenant:app fastapi, created in shop/web.py:13, named in shop/web.py:13" in text
    assert "Tenant is not certain" in text
    assert "Tenant shop/web.py:13 request.session (Tenant)but reads request.session" in text
    assert "SessionMiddlewareif Tenant is on shop/web.py:13 -sets request.session" in text
    assert "Tenant:admin mounted in Tenant:app" in text
    rings = [str(attributes["class"]) for name, attributes in reader.elements if "ring" in str(attributes.get("class"))]
    assert rings[1:6] == ["ring bad", "ring maybe", "ring own", "ring core", "rings"]


def test_any_number_of_layers_and_applications_stays_small() -> None:
    appraisal, texts = page_samples.usual()
    apps = [page_samples.shop(f"Layer{number}", depth=300) for number in range(300)]
    html = page((page_samples.with_applications(appraisal, *apps), texts))
    assert len(html) < 2_000_000
    text = Reader(html).text
    assert "… and 588 more applications" in text
    assert "… and 262 more layers" in text


def test_pictures_are_those_of_the_code() -> None:
    contents = dict(page_samples.CONTENTS)
    contents["shop/web.py"] += b"app.add_middleware(Tenant)\napp.add_middleware(SessionMiddleware, secret_key='x')\n"
    contents["tests/test_web.py"] = contents["shop/web.py"]
    (picture,) = pictures(unpacked(appraised(SampleTree(contents)).report.kept))
    assert (picture.name, picture.framework) == ("shop.web:app", "fastapi")
    names = ["ServerErrorMiddleware", "SessionMiddleware", "Tenant", "ExceptionMiddleware"]
    assert [ring.name for ring in picture.rings] == names
