"""The page of `guard report` in a browser: it fetches nothing, complains of nothing, is quick, and does what it offers.

All tests have one Chromium, started once.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import page_samples
import pytest
from page_browser import CHROMIUM, Page, browser
from page_samples import SHOWN
from scoring_support import SampleTree, appraised

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="only on a machine with Chromium")
WIDTHS = (1280, 390)
CLEAN = SampleTree({"a.py": b"x = 1\n"})
SAMPLES = {
    "usual": page_samples.usual,
    "hostile": page_samples.hostile,
    "thousands": page_samples.thousands,
    "clean": lambda: (appraised(CLEAN), {}),
    "unreadable": lambda: (appraised(SampleTree({"a.py": b"x = 1\n", "b.py": b""}, ["b.py"])), {}),
    "nothing": lambda: (appraised(SampleTree({})), {}),
}
TOO_WIDE = """
(() => {
  for (const one of document.querySelectorAll("details")) one.open = true;
  const width = document.documentElement.clientWidth, wide = [];
  if (document.documentElement.scrollWidth > width) wide.push(`the page: ${document.documentElement.scrollWidth} px`);
  for (const one of document.body.querySelectorAll("*")) {
    const box = one.getBoundingClientRect();
    const scrolls = one.parentElement.closest(".scroll, pre, .beside, svg");
    if (!scrolls && (box.right > width + 1 || (box.left < 0 && box.right > 0)))
      wide.push(`${one.tagName} ${one.className}: ${box.left} to ${box.right}`);
  }
  return wide;
})()
"""
SETTLED = "new Promise((done) => requestAnimationFrame(() => setTimeout(done)))"

PAINTED = """new Promise((done) => new PerformanceObserver((list) => {
  const paint = list.getEntriesByName("first-contentful-paint")[0];
  if (paint) done(paint.startTime);
}).observe({ type: "paint", buffered: true }))"""


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser(tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A function that writes the page of a sample, once."""
    folder = tmp_path_factory.mktemp("pages")

    def write(name: str) -> Path:
        file = folder / f"{name}.html"
        if not file.exists():
            file.write_text(page_samples.page(SAMPLES[name]()), encoding="utf-8")
        return file

    return write


def shown(tab: Page, selector: str) -> list[str]:
    """The texts of the elements that can be seen."""
    texts: list[str] = tab.run(
        f"[...document.querySelectorAll({json.dumps(selector)})].filter((one) => one.checkVisibility())"
        ".map((one) => one.textContent.trim())"
    )
    return texts


def set_to(tab: Page, field: str, value: str) -> str:
    """Set a field of the filter as a reader does; how many findings are listed then."""
    tab.run(
        f"(() => {{ const field = document.getElementById({json.dumps(field)}); field.value = {json.dumps(value)};"
        ' field.dispatchEvent(new Event("input", { bubbles: true })); })()'
    )
    return str(tab.run('document.getElementById("count").textContent'))


def option(tab: Page, field: str, label: str) -> str:
    """The value of the option whose label begins so."""
    value = tab.run(
        f'[...document.querySelectorAll("#{field} option")]'
        f".find((one) => one.textContent.startsWith({json.dumps(label)}))?.value"
    )
    assert isinstance(value, str), f"{field} has no {label}"
    return value


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", SAMPLES)
def test_it_fetches_nothing_complains_of_nothing_and_is_no_wider_than_the_window(
    tab: Page, written: Callable[[str], Path], name: str, width: int
) -> None:
    tab.requests.clear()
    tab.errors.clear()
    tab.open(written(name), width)
    assert tab.run(TOO_WIDE) == []
    tab.run(SETTLED)
    assert tab.requests == [written(name).as_uri()]
    assert tab.errors == []
    assert len(shown(tab, "h1")) == 1


def test_what_is_told_from_a_page_that_is_at_fault(tab: Page, tmp_path: Path) -> None:
    file = tmp_path / "fault.html"
    file.write_text(
        '<!doctype html><h1>x</h1><p style="width:2000px">x</p><img src="gone.png" alt="">'
        "<script>console.error('no'); throw Error('thrown')</script>",
        encoding="utf-8",
    )
    tab.requests.clear()
    tab.errors.clear()
    tab.open(file)
    assert len(tab.run(TOO_WIDE)) >= 2
    assert len(tab.requests) == 2
    assert any("thrown" in error for error in tab.errors)
    assert any("no" in error for error in tab.errors)
    tab.errors.clear()


def test_nothing_of_a_repository_is_an_element_or_runs(tab: Page, written: Callable[[str], Path]) -> None:
    tab.open(written("hostile"))
    tab.run('document.querySelectorAll("details").forEach((one) => { one.open = true; })')
    tab.run(SETTLED)
    assert tab.run('document.querySelectorAll("img, iframe, object, main link, main script:not(#data)").length') == 0
    assert tab.run('document.querySelectorAll("script").length') == 2
    body = str(tab.run("document.body.innerText"))
    assert body.count(SHOWN) > 25
    assert shown(tab, "#list .what")[0] == SHOWN
    assert SHOWN in shown(tab, "#list pre")[0]
    assert not re.search("[\u202a-\u202e\u2066-\u2069\x1b]", body)


def test_nothing_else_can_run_on_the_page(tab: Page, written: Callable[[str], Path]) -> None:
    tab.open(written("usual"))
    tab.run(
        """(() => {
          const script = document.createElement("script");
          try { script.textContent = "window.ran = true"; document.body.append(script); } catch {}
          try { document.body.insertAdjacentHTML("beforeend", "<img src=x onerror='window.ran = true'>"); } catch {}
        })()"""
    )
    tab.run(SETTLED)
    assert tab.run("window.ran") is None
    assert tab.run('document.querySelectorAll("img").length') == 0
    tab.errors.clear()


def test_the_filter(tab: Page, written: Callable[[str], Path]) -> None:
    tab.open(written("usual"))
    number = len(page_samples.usual()[0].report.findings)
    assert shown(tab, "#count") == [f"{number} findings"]
    assert len(shown(tab, "#list > li")) == number
    assert set_to(tab, "text", "SHOP/jobs.py gone") == f"2 of {number} findings"
    assert {text.split(":")[0] for text in shown(tab, "#list .where")} == {"shop/jobs.py"}
    assert set_to(tab, "text", "no such words") == f"0 of {number} findings"
    assert set_to(tab, "text", "") == f"{number} findings"
    assert set_to(tab, "rule", option(tab, "rule", "IMP001 missing-module (3)")) == f"3 of {number} findings"
    assert set_to(tab, "rule", "") == f"{number} findings"
    assert set_to(tab, "severity", option(tab, "severity", "error")).startswith("5 of")
    assert set(shown(tab, "#list .badge")) == {"error"}
    assert set_to(tab, "impact", option(tab, "impact", "Tests (1)")) == f"1 of {number} findings"
    assert set_to(tab, "severity", "") == f"1 of {number} findings"
    assert set_to(tab, "impact", "") == f"{number} findings"
    assert set_to(tab, "package", option(tab, "package", "tests (1)")) == f"1 of {number} findings"
    tab.run('document.querySelector("#filter button").click()')
    tab.run(SETTLED)
    assert shown(tab, "#count") == [f"{number} findings"]
    assert set_to(tab, "new", "1") == f"1 of {number} findings"


def test_a_family_is_one_choice(tab: Page, written: Callable[[str], Path]) -> None:
    appraisal = page_samples.with_findings(
        page_samples.usual()[0],
        *(page_samples.finding(number, code=code) for number, code in enumerate(("IMP001", "IMP002", "SYN004"))),
    )
    file = written("usual").with_name("family.html")
    file.write_text(page_samples.page((appraisal, {})), encoding="utf-8")
    tab.open(file)
    assert set_to(tab, "rule", option(tab, "rule", "IMP: all")) == "2 of 3 findings"


def test_sorting_the_findings(tab: Page, written: Callable[[str], Path]) -> None:
    tab.open(written("usual"))
    order = shown(tab, "#list .where")
    set_to(tab, "sort", "path")
    paths = [text.split(":")[0] for text in shown(tab, "#list .where")]
    assert paths == sorted(paths) != [text.split(":")[0] for text in order]
    set_to(tab, "sort", "rule")
    codes = shown(tab, "#list summary .code")
    assert codes == sorted(codes)
    set_to(tab, "sort", "")
    assert shown(tab, "#list .where") == order


def test_sorting_a_table(tab: Page, written: Callable[[str], Path]) -> None:
    tab.open(written("usual"))
    head = 'document.querySelector(".packages thead th:nth-child({}) button").click()'
    cells = ".packages tbody tr > :nth-child({})"
    tab.run(head.format(7))
    lines = [int(text) for text in shown(tab, cells.format(7))]
    assert lines == sorted(lines, reverse=True)
    assert len(set(lines)) > 1
    tab.run(head.format(7))
    assert [int(text) for text in shown(tab, cells.format(7))] == sorted(lines)
    assert shown(tab, "[aria-sort=ascending]") == ["lines"]
    tab.run(head.format(1))
    names = shown(tab, cells.format(1))
    assert names == sorted(names)
    assert shown(tab, "[aria-sort]") == ["package"]


def test_buttons_lead_to_their_findings(tab: Page, written: Callable[[str], Path]) -> None:
    tab.open(written("usual"))
    assert shown(tab, ".spots .act") == ["Show 3 findings"]
    tab.run('document.querySelector(".spots .act").click()')
    assert shown(tab, "#count")[0].startswith("3 of ")
    assert shown(tab, "#chosen span") == ["Only: what misses shop.gone"]
    assert set(shown(tab, "#list summary .code")) == {"IMP001"}
    tab.run('document.querySelector("#chosen button").click()')
    assert " of " not in shown(tab, "#count")[0]
    tab.run('[...document.querySelectorAll(".packages .link")].find((one) => one.textContent === "tests").click()')
    assert shown(tab, "#count")[0].startswith("1 of ")
    assert shown(tab, "#list .where") == ["tests/test_shop.py:2"]


def test_a_finding_opens_with_its_code_and_the_way_out(tab: Page, written: Callable[[str], Path]) -> None:
    tab.open(written("usual"))
    set_to(tab, "text", "undefined_name")
    tab.run('document.querySelector("#list summary").click()')
    tab.run(SETTLED)
    (code,) = tab.run('[...document.querySelectorAll("#list pre")].map((one) => one.textContent)')
    assert code == "1 | def test_nothing():\n2 |     assert undefined_name\n  |            ^^^^^^^^^^^^^^\n"
    assert shown(tab, "#list dt")[:2] == ["rule", "hits"]
    assert shown(tab, "#list dd")[:2] == ["SYN004 undefined-name", "Tests"]
    set_to(tab, "text", "Tenant reads")
    tab.run('document.querySelector("#list summary").click()')
    tab.run(SETTLED)
    assert "--fix --unsafe-fixes" in shown(tab, "#list dt")
    assert "shop/web.py:2 SessionMiddleware is added here" in shown(tab, "#list dd")


def test_pages_of_the_list(tab: Page, written: Callable[[str], Path]) -> None:
    tab.open(written("thousands"))
    assert shown(tab, "#count") == ["12,000 findings"]
    assert shown(tab, "#page") == ["page 1 of 120"]
    first = shown(tab, "#list .what")
    assert len(first) == 100
    tab.run('document.getElementById("next").click()')
    assert shown(tab, "#page") == ["page 2 of 120"]
    assert not set(shown(tab, "#list .what")) & set(first)
    tab.run('document.getElementById("previous").click()')
    assert shown(tab, "#list .what") == first
    assert tab.run('document.getElementById("previous").disabled')
    tab.run('document.getElementById("next").click()')
    set_to(tab, "text", "number 777")
    assert shown(tab, "#pages") == [], "what is found begins anew, and has one page"


def test_the_keyboard(tab: Page, written: Callable[[str], Path]) -> None:
    tab.open(written("usual"))
    active = "document.activeElement.{}"
    tab.key("/")
    assert tab.run(active.format("id")) == "text"
    for letter in "gone":
        tab.key(letter)
    assert tab.run('document.getElementById("text").value') == "gone"
    assert shown(tab, "#count")[0].startswith("3 of ")
    tab.run('document.querySelector("#list summary").focus()')
    tab.key("ArrowDown")
    assert tab.run(active.format("textContent")) == tab.run('document.querySelectorAll("#list summary")[1].textContent')
    tab.key("Enter")
    tab.run(SETTLED)
    assert tab.run(active.format("parentElement.open")) is True
    tab.key("ArrowUp")
    assert tab.run(active.format("textContent")) == tab.run('document.querySelector("#list summary").textContent')


def test_thousands_of_findings_are_there_and_filtered_without_a_stall(
    tab: Page, written: Callable[[str], Path]
) -> None:
    tab.open(written("thousands"))
    assert tab.run(PAINTED) < 2_000
    for text in ("name number", "7", "module_77 raises", "no such thing", ""):
        took = tab.run(
            f"""(async () => {{
              const field = document.getElementById("text"), start = performance.now();
              field.value = {json.dumps(text)};
              field.dispatchEvent(new Event("input", {{ bubbles: true }}));
              await {SETTLED};
              return performance.now() - start;
            }})()"""
        )
        assert took < 200, text


def test_without_a_script_all_but_the_list_is_there(tab: Page, written: Callable[[str], Path]) -> None:
    tab.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        tab.open(written("usual"))
        tree = str(tab.call("DOM.getOuterHTML", nodeId=tab.call("DOM.getDocument", depth=-1)["root"]["nodeId"]))
        assert "the page needs its script" in tree
        text = tab.call("Accessibility.getFullAXTree")["nodes"]
        said = {node["name"]["value"] for node in text if node.get("name", {}).get("value")}
        assert any("the page needs its script" in one for one in said)
        assert "shop.gone" in "".join(said)
        assert not any(node.get("role", {}).get("value") == "searchbox" for node in text)
    finally:
        tab.call("Emulation.setScriptExecutionDisabled", value=False)


def test_on_paper_there_are_no_controls(tab: Page, written: Callable[[str], Path]) -> None:
    tab.open(written("usual"), medium="print")
    assert shown(tab, "nav, #filter, .act, #keys") == []
    assert len(shown(tab, "#list > li")) == len(page_samples.usual()[0].report.findings)
    assert shown(tab, ".packages th button")[0] == "package"
    assert "The score is the mean" in shown(tab, "details.printed p")[0]


@pytest.mark.parametrize("name", ["usual", "thousands"])
def test_a_sheet_of_paper_is_wide_enough(tab: Page, written: Callable[[str], Path], name: str) -> None:
    tab.open(written(name), width=720, medium="print")
    assert tab.run("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("name", ["usual", "hostile", "clean", "unreadable"])
def test_axe_finds_nothing_serious(tab: Page, written: Callable[[str], Path], name: str, dark: bool) -> None:
    axe = files("axe_core_python").joinpath("axe.min.js").read_text(encoding="utf-8")
    # Axe writes to the page as the policy forbids.
    tab.call("Page.setBypassCSP", enabled=True)
    try:
        tab.open(written(name), dark=dark)
        tab.run('document.querySelectorAll("details").forEach((one) => { one.open = true; })')
        tab.run(SETTLED)
        tab.run(f"{axe};0")
        told: Any = tab.run("axe.run(document, { resultTypes: ['violations'] })")
        found = [(one["id"], one["impact"], one["nodes"][0]["html"]) for one in told["violations"]]
        assert found == []
        assert len(told["passes"]) > 20
        tab.run(
            'document.querySelector("h1").style.color = "#888"; document.querySelector("h1").style.background = "#777"'
        )
        told = tab.run("axe.run(document, { resultTypes: ['violations'] })")
        assert [one["id"] for one in told["violations"]] == ["color-contrast"], "axe looks at what it is told of"
    finally:
        tab.call("Page.setBypassCSP", enabled=False)
        tab.errors.clear()
