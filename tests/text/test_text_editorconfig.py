"""EditorConfig: globs and precedence, by the specification's own examples."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.checks.text_editorconfig import EditorConfig


def matches(glob: str, path: str) -> bool:
    return EditorConfig({".editorconfig": f"[{glob}]\nend_of_line = crlf\n".encode()}).of(path) is not None


@pytest.mark.parametrize(
    ("glob", "path", "expected"),
    [
        ("*", "a/b.py", True),
        ("*.py", "a/b.py", True),
        ("/*.py", "b.py", True),
        ("/*.py", "a/b.py", False),
        ("a/*.py", "a/b.py", True),
        ("a/*.py", "x/a/b.py", False),
        ("a/**.py", "a/x/b.py", True),
        ("?.py", "ab.py", False),
        ("[ab].py", "b.py", True),
        ("[!ab].py", "b.py", False),
        ("*.{py,pyi}", "b.pyi", True),
        ("{a,b/{c,d}}.py", "b/d.py", True),
        ("{single}.py", "{single}.py", True),
        ("f{1..3}.py", "f2.py", True),
        ("f{1..3}.py", "f4.py", False),
        ("{a,b", "{a,b", True),
        (r"{\{}", "{{}", True),
        (r"{a\},b}", "a}", True),
        (r"{a\},b}", "b", True),
        ("**/{x,y}/**/*.{js,ts}", "a/x/b/c.ts", True),
        ("**/{x,y}/**/*.{js,ts}", "a/z/b/c.ts", False),
        ("{*.py,*.js,docs/**/*.md}", "docs/a/b.md", True),
        ("{{a,b},c}x", "bx", True),
        ("*a*b*", "xaxbx", True),
        ("*a*b*", "xbxax", False),
        ("f*{1..12}*.py", "f12x.py", True),
        ("a*[!a]*", "a,a/.2", False),
        ("}**{1..3}", "}x1", False),
        ("[a--b].py", "-.py", True),
        ("[a-c].py", "b.py", True),
        (r"\*.py", "*.py", True),
        (r"\*.py", "a.py", False),
        ("Makefile", "sub/Makefile", True),
    ],
)
def test_globs(glob: str, path: str, expected: bool) -> None:
    assert matches(glob, path) is expected


def test_the_nearest_file_and_the_last_section_win() -> None:
    config = EditorConfig(
        {
            ".editorconfig": b"root = true\n[*]\nend_of_line = crlf\n[*.py]\nend_of_line = LF ; as everywhere\n",
            "a/.editorconfig": b"[*.sh]\nend_of_line = lf\n",
            "b/.editorconfig": b"root = true\n[*.sh]\nindent_size = 2\n",
        }
    )
    found = {path: config.of(path) for path in ("x.py", "x.sh", "a/x.sh", "a/x.py", "b/x.sh")}
    assert {path: setting.value if setting else None for path, setting in found.items()} == {
        "x.py": "lf",
        "x.sh": "crlf",
        "a/x.sh": "lf",
        "a/x.py": "lf",
        "b/x.sh": None,
    }
    assert found["x.py"] is not None
    assert found["x.py"].line == 5


@given(st.text("*?[]{},.!\\/a-1", max_size=20))
def test_no_glob_raises(glob: str) -> None:
    matches(glob, "a/a.a")


@pytest.mark.parametrize(
    "glob",
    [
        "*a" * 100 + "b",
        "**a" * 100 + "b",
        "**a*a" * 50 + "b",
        "{*,*}" * 6 + "b",
        "{a,b}" * 50,
        "{" * 400 + "a,b" + "}" * 400,
        "?*" * 100 + "b",
    ],
)
def test_no_glob_is_slow(glob: str) -> None:
    start = time.process_time()
    assert not matches(glob, "a" * 200)
    assert time.process_time() - start < 2
