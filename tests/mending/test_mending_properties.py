"""Whatever the import looks like: nothing outside of it changes, no comment is lost, and every name is still bound."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from guard.fixes import Refused
from guard.fixes.imp import mend
from guard.model import Finding, Fix, Impact, Severity, Span

NAMES = ["A", "B", "C", "D"]
LAYOUTS = st.sampled_from(["flat", "lines", "hanging", "mixed", "backslash"])
COMMENTS = st.sampled_from(["", "", "", "  # é", "  # noqa: F401", " #x"])


@st.composite
def statements(draw: st.DrawFn) -> str:
    """A `from app.old import …` of some of the names, in any layout."""
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True))
    written = [name + draw(st.sampled_from(["", "", f" as {name.lower()}_"])) for name in names]
    layout = draw(LAYOUTS)
    if layout == "flat":
        return f"from app.old import {', '.join(written)}"
    if layout == "backslash":
        return "from app.old import " + ", \\\n        ".join(written)
    lines = ["from app.old import (" + draw(COMMENTS)]
    if layout == "hanging":
        lines = ["from app.old import ("]
    for number, name in enumerate(written):
        last = number == len(written) - 1
        comma = draw(st.sampled_from(["", ","])) if last else ","
        if layout == "lines" and draw(st.integers(0, 4)) == 0:
            lines.append(draw(st.sampled_from(["", "        # above", "# far left"])))
        if layout == "lines" or (layout == "mixed" and draw(st.booleans())):
            lines.append(f"        {name}{comma}{draw(COMMENTS)}")
        elif "#" in lines[-1]:
            lines.append(f"    {name}{comma}")
        else:
            lines[-1] += f" {name}{comma}"
    if draw(st.booleans()) or "#" in lines[-1]:
        lines.append(draw(st.sampled_from([")", "    )", "# end\n)"])))
    else:
        lines[-1] += ")"
    return "\n".join(lines)


@st.composite
def files(draw: st.DrawFn) -> str:
    """A file with one import of the old module."""
    indent = draw(st.sampled_from(["", "    ", "\t"]))
    head = "".join(draw(st.lists(st.sampled_from(["# a\n", "\n", "x = 'é'\n", "import os\n"]), max_size=4)))
    if indent:
        head += draw(st.sampled_from(["if x:\n", "def f():\n", "class K:\n"]))
    tail = "".join(draw(st.lists(st.sampled_from(["\n", "# z\n", "y = 1\n"]), max_size=3)))
    head += draw(st.sampled_from(["", f"{indent}from app.new import Z\n", f"{indent}from app.new import Y, Z # y\n"]))
    comment = draw(st.sampled_from(["", "  # noqa", "  # why"]))
    text = f"{head}{indent}{draw(statements())}{comment}\n{tail}"
    return text.removesuffix("\n") if draw(st.booleans()) else text


def findings(text: str, moved: dict[str, str]) -> list[Finding]:
    """A finding for each name that moved, as the rule has it."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.module == "app.old":
            found += [finding(alias, moved) for alias in node.names if alias.name in moved]
    return found


def finding(alias: ast.alias, moved: dict[str, str]) -> Finding:
    return Finding(
        code="IMP002",
        slug="missing-name",
        severity=Severity.ERROR,
        impact=Impact.RUNTIME,
        path="app/main.py",
        span=Span(alias.lineno),
        message="",
        symbol="",
        fingerprint=alias.name,
        fix=Fix("safe", ""),
        data={"module": "app.old", "name": alias.name, "moved_to": {alias.name: moved[alias.name]}},
    )


def comments(text: str) -> Counter[str]:
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    found = (token.string for token in tokens if token.type == tokenize.COMMENT)
    return Counter(part for comment in found for part in comment.split("  "))


def bound(text: str) -> set[tuple[str, str, str]]:
    """Where each name comes from: module, name there, name here."""
    return {
        (node.module or "", alias.name, alias.asname or alias.name)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def others(text: str) -> list[str]:
    """The lines that no import of these modules is on, nor a comment that stood between its names."""
    taken = {
        line
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("app.")
        for line in range(node.lineno, (node.end_lineno or 0) + 1)
    }
    lines = enumerate(text.split("\n"), 1)
    return [line for number, line in lines if number not in taken and not re.fullmatch(r"\s*# (above|far left)", line)]


@settings(max_examples=400, deadline=None)
@given(files(), st.sets(st.sampled_from(NAMES), min_size=1), st.sampled_from(["\n", "\r\n"]), st.booleans(), st.data())
def test_rewriting(text: str, names: set[str], newline: str, mark: bool, data: st.DataObject) -> None:
    places = st.sampled_from(["app.new", "app.new", "app.far"])
    moved = {name: f"{data.draw(places)}:{name}" for name in sorted(names)}
    found = findings(text, moved)
    if not found:
        return
    content = (b"\xef\xbb\xbf" if mark else b"") + text.replace("\n", newline).encode()
    new = mend(content, found)
    assert not isinstance(new, Refused)
    assert new.startswith(b"\xef\xbb\xbf") == mark
    after = new.removeprefix(b"\xef\xbb\xbf").decode()
    assert after.count("\r\n") == (after.count("\n") if newline == "\r\n" and "\n" in text else 0)
    after = after.replace("\r\n", "\n")

    # Every name is bound as before, those that moved from their new place.
    expected = {
        (moved[name].partition(":")[0] if module == "app.old" and name in moved else module, name, here)
        for module, name, here in bound(text)
    }
    assert bound(after) == expected

    # Nothing but import statements of these modules differs.
    assert others(after) == others(text)

    # No comment is lost; those that tools read may stand at two places now.
    lost = comments(text) - comments(after)
    more = comments(after) - comments(text)
    assert not lost
    assert all("noqa" in comment for comment in more)
