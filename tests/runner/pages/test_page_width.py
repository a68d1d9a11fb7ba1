"""In a browser, wide and narrow: nothing on an HTML page is wider than the page, whatever the record holds.

All pages stand in frames of one document, which measures them, so that Chromium is started once.
"""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import page_sessions
import pytest

from guard.report.session import render
from guard.report.session.comparison import render as compare
from guard.report.session.listing import render as listing
from guard.runner.compare import compared
from guard.runner.store import Summary

WIDTHS = (1280, 390)
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
OPTIONS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--dump-dom")
MEASURE = """
addEventListener("load", () => {
  const wide = [];
  for (const frame of document.querySelectorAll("iframe")) {
    const page = frame.contentDocument, width = page.documentElement.clientWidth;
    if (!page.querySelector("h1")) wide.push(`${frame.title}: it is empty`);
    if (page.documentElement.scrollWidth > width)
      wide.push(`${frame.title}: the page is ${page.documentElement.scrollWidth} px wide`);
    for (const one of page.body.querySelectorAll("*")) {
      const box = one.getBoundingClientRect(), scrolls = one.parentElement.closest(".scroll, pre");
      if (!scrolls && (box.right > width + 1 || (box.left < 0 && box.right > 0)))
        wide.push(`${frame.title}: ${one.tagName} ${one.className}: ${box.left} to ${box.right}`);
    }
  }
  document.body.innerHTML = "<p id=told></p>";
  document.querySelector("#told").textContent = JSON.stringify(wide);
});
"""


def pages() -> Iterator[tuple[str, str]]:
    """Pages by name, the last of them with words that have no end."""
    endless = page_sessions.hostile("w" * 700)
    for session in (page_sessions.good(), page_sessions.failed(), page_sessions.hostile(), endless):
        yield f"session {session.id}", render("html", session, [page_sessions.failed("s1")])
    yield "comparison", compare("html", compared(page_sessions.good(), endless))
    summary = Summary(
        id="s1",
        target="t" * 300,
        verdict=endless.verdict,
        revision="r" * 300,
        started=endless.started,
        ended=endless.ended,
        cycles=1,
        tests={"failed": 3},
    )
    yield "list", listing("html", [summary])


def too_wide(folder: Path, shown: Iterator[tuple[str, str]]) -> list[str]:
    """What sticks out of pages, each at each width, as Chromium lays them out."""
    assert CHROMIUM is not None
    frames = "".join(
        f'<iframe title="{name} at {width} px" style="width:{width}px;height:900px;border:0"'
        f' srcdoc="{html.escape(page)}"></iframe>'
        for name, page in shown
        for width in WIDTHS
    )
    file = folder / "all.html"
    file.write_text(f"<!doctype html><meta charset=utf-8><script>{MEASURE}</script>{frames}", encoding="utf-8")
    own = f"--user-data-dir={folder / 'profile'}"
    done = subprocess.run(
        [CHROMIUM, *OPTIONS, "--disable-background-networking", own, file.as_uri()],
        capture_output=True,
        check=True,
        encoding="utf-8",
        timeout=100,
    )
    told = re.search('<p id="told">(.*)</p>', done.stdout)
    assert told is not None, done.stderr[-2_000:]
    found: list[str] = json.loads(html.unescape(told[1]))
    return found


@pytest.mark.skipif(CHROMIUM is None, reason="only on a machine with Chromium")
def test_nothing_is_wider_than_its_page(tmp_path: Path) -> None:
    wide = '<!doctype html><meta name="viewport" content="width=device-width"><h1>x</h1><p style="width:500px">x'
    caught = ("wide", wide)
    found = too_wide(tmp_path, iter([*pages(), caught]))
    assert [one for one in found if not one.startswith("wide at ")] == []
    assert any(one.startswith("wide at 390 px: the page is 5") for one in found), "the measure does not see a wide page"
