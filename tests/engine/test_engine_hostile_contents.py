"""Contents made to break a reader: each is analysed or named, in the time that its size takes."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from guard.config import load, resolve_selection
from guard.engine import Options, check
from guard.model import Report
from guard.registry import all_rules
from guard.sources.directory import DirectoryTree
from tests.engine.support import outside, write

CLEAN = "clean"
DEEP = "unparsable"

CASES: dict[str, tuple[bytes, tuple[str, ...]]] = {
    # Path: content, and what may be said of it (deep nesting is read by some versions of Python, and not by others).
    "brackets": (b"x = " + b"[" * 10_000 + b"]" * 10_000 + b"\n", ("SYN001",)),
    "open_brackets": (b"x = " + b"(" * 100_000 + b"\n", ("SYN001",)),
    "minus": (b"x = " + b"-" * 5_000 + b"1\n", (DEEP, CLEAN)),
    "nots": (b"x = " + b"not " * 5_000 + b"1\n", (DEEP, CLEAN)),
    "attributes": (b"import os\nx = os" + b".a" * 5_000 + b"\n", (DEEP, CLEAN)),
    "calls": (b"x = print" + b"()" * 5_000 + b"\n", (DEEP, CLEAN)),
    "strings": (b"x = " + b"+".join([b'"a"'] * 20_000) + b"\n", (DEEP, CLEAN)),
    "exports": (b"__all__ = " + b"+".join([b"[]"] * 900) + b"\n", (DEEP, CLEAN)),
    "elifs": (b"if 0:\n    pass\n" + b"elif 0:\n    pass\n" * 5_000, (DEEP, CLEAN)),
    "lambdas": (b"x = " + b"lambda: " * 3_000 + b"1\n", (DEEP, CLEAN)),
    "fewer_lambdas": (b"x = " + b"lambda: " * 700 + b"1\n", (DEEP, CLEAN)),
    "functions": (b"".join(b" " * n + b"def f():\n" for n in range(3_000)) + b" " * 3_000 + b"pass\n", ("SYN001",)),
    "classes": (b"".join(b" " * n + b"class C:\n" for n in range(99)) + b" " * 99 + b"pass\n", (CLEAN,)),
    "comprehensions": (b"x = ()\nx = " + b"[" * 50 + b"1" + b" for a in x]" * 50 + b"\n", (CLEAN,)),
    "targets": (b"x = ()\nfor " + b"(" * 150 + b"a" + b",)" * 150 + b" in x: pass\n", (CLEAN,)),
    "format_strings": (b"x = " + b"f'{" * 2_000 + b"1" + b"}'" * 2_000 + b"\n", ("SYN001", "SYN003")),
    "nul": (b"x = 1\0\n", ("SYN001",)),
    "only_nul": (b"\0" * 1_000, ("SYN001",)),
    "hex": (b"# coding: hex\nx = 1\n", ("TXT003",)),
    "rot13": (b"# coding: rot13\nx = 1\n", ("TXT003",)),
    "undefined": (b"# coding: undefined\nx = 1\n", ("TXT003",)),
    "punycode": (b"# coding: punycode\nx = 1\n", ("TXT003",)),
    "unknown_coding": (b"# coding: klingon\nx = 1\n", ("TXT003",)),
    "utf8": (b"x = '\xff\xfe\x80'\n", ("TXT003",)),
    "utf16": ("x = 1\n".encode("utf-16"), ("TXT002",)),
    "utf32": ("x = 1\n".encode("utf-32"), ("TXT002",)),
    "only_mark": (b"\xef\xbb\xbf", ("TXT002",)),
    "long_number": (b"x = " + b"9" * 10_000 + b"\n", ("SYN001",)),
    "half_characters": (b"import os\n__all__ = ['\\ud800', 'os']\nx = os.environ['\\udfff']\n", ("IMP010",)),
    "half_option": (
        b"import dataclasses as d\n@d.dataclass\nclass A:\n    x: int = d.field(metadata='\\ud800', default=1)\n",
        (CLEAN,),
    ),
    "dots": (b"from " + b"." * 20_000 + b"a import b\n", ("IMP012",)),
    "long_name": (b"import " + b".".join([b"a"] * 20_000) + b"\n", (CLEAN,)),
    "globals": (b"def f():\n    global " + b", ".join(b"a%d" % n for n in range(20_000)) + b"\n", (CLEAN,)),
    "string_unclosed": (b'x = """' + b"a\n" * 100_000, ("SYN001",)),
    "quotes": (b"'" * 100_001, ("SYN001",)),
    "continued": (b"\\\n" * 100_000 + b"x = 1\n", (CLEAN,)),
    "codes": (b"x = 1  # guard: ignore[" + b"IMP002," * 5_000 + b"]\n", ("SUP003",)),
}


def checked(folder: Path) -> Report:
    tree = DirectoryTree(str(folder))
    rules = all_rules()
    config = load(tree, "", (), rules=rules)
    return check(tree, config, resolve_selection(config, [], [], None, rules), Options(jobs=1))


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    folder = tmp_path_factory.mktemp("hostile")
    write(folder, {f"{name}.py": content for name, (content, _) in CASES.items()})
    return checked(folder)


def test_every_file_is_counted(report: Report) -> None:
    assert report.files_found == len(CASES)
    assert report.files_analysed == report.files_found - len({p.path for p in report.problems})
    assert report.exit_code == 3


@pytest.mark.parametrize("name", CASES)
def test_analysed_or_named(report: Report, name: str) -> None:
    path = f"{name}.py"
    said = {finding.code for finding in report.findings if finding.path == path and finding.code != "TXT006"}
    said |= {problem.kind for problem in report.problems if problem.path == path}
    assert (said or {CLEAN}) & set(CASES[name][1]), said
    assert CLEAN in CASES[name][1] or said


def test_ten_megabytes_on_one_line(tmp_path: Path) -> None:
    write(
        tmp_path, {"big.py": b"x = [" + b"1, " * 3_500_000 + b"]\n", "text.txt": b"<" * 10_000_000, "ok.py": b"x = 1\n"}
    )
    start = time.monotonic()
    run = outside("check", "--output", "concise", cwd=tmp_path)
    assert time.monotonic() - start < 20
    assert (run.code, run.err) == (3, "")
    assert run.out == "big.py: problem too-large: 10,500,007 bytes, more than the limit of 5,000,000\n"


@pytest.mark.parametrize(
    ("one", "code"),
    [
        (b"name%d < ", "SYN004"),
        (b"a if b%d else ", "SYN004"),
    ],
)
def test_wide_expressions_take_linear_time(tmp_path: Path, one: bytes, code: str) -> None:
    write(tmp_path, {"wide.py": b"x = " + b"".join(one % number for number in range(400)) + b"1\n"})
    start = time.process_time()
    report = checked(tmp_path)
    assert {finding.code for finding in report.findings} == {code}
    assert time.process_time() - start < 3


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"try: pass\nexcept gone: pass\n" * 10_000, {"SYN004"}),
        (b"with " + b"gone, " * 10_000 + b"gone: pass\n", {"SYN004"}),
        # So many names, each of them so deep, would take hours: the file is a problem.
        (b"if gone: pass\n" + b"elif gone: pass\n" * 900, {"SYN004", DEEP}),
        (b"x = " + b"gone and " * 5_000 + b"gone\n", {"SYN004", DEEP}),
    ],
    ids=["statements", "items", "branches", "operands"],
)
def test_many_undefined_names_end(tmp_path: Path, content: bytes, found: set[str]) -> None:
    write(tmp_path, {"many.py": content})
    start = time.process_time()
    report = checked(tmp_path)
    assert time.process_time() - start < 15
    told = {finding.code for finding in report.findings} | {problem.kind for problem in report.problems}
    assert told
    assert told <= found


@pytest.mark.parametrize("length", [300, 3_000])
def test_long_chains(tmp_path: Path, length: int) -> None:
    links = range(length)
    last = length // 5
    write(
        tmp_path,
        {
            "bases.py": b"from dataclasses import dataclass\n\n\n@dataclass\nclass A0:\n    x: int\n"
            + b"".join(b"class A%d(A%d): ...\n" % (n + 1, n) for n in links)
            + b"A%d(1).y\n" % length,
            "names.py": b"a0 = 1\n" + b"".join(b"a%d = a%d\n" % (n + 1, n) for n in links),
            "calls.py": b"from fastapi import FastAPI\n"
            + b"".join(b"def f%d(app): f%d(app)\n" % (n, n + 1) for n in links)
            + b"def f%d(app): app.add_middleware(X)\napp = FastAPI()\nf0(app)\n" % length,
            **{f"c/m{n}.py": b"from c.m%d import x\nfrom c.m%d import *\n" % (n + 1, n + 1) for n in range(last)},
            f"c/m{last}.py": b"x = 1\n",
        },
    )
    report = checked(tmp_path)
    assert {finding.code for finding in report.findings} <= {"DCF001", "SYN004"}


def test_webs_do_not_grow_beyond_measure(tmp_path: Path) -> None:
    layers = range(1, 40)
    two_bases = b"class %s%d(%s): ...\n"
    write(
        tmp_path,
        {
            "bases.py": b"from dataclasses import dataclass\n\n\n@dataclass\nclass A0:\n    x: int\nclass B0(C0): ...\n"
            + b"".join(two_bases % (name, n, b"A%d, B%d" % (n - 1, n - 1)) for n in layers for name in (b"A", b"B"))
            + b"A39(1).y\n",
            **{
                f"w/{name}{n}.py": b"from w.a%d import *\nfrom w.b%d import *\nfrom w.a%d import gone\n"
                % (n - 1, n - 1, n - 1)
                for n in layers
                for name in "ab"
            },
            "w/use.py": b"from w.a39 import gone\n",
            "w/a0.py": b"x = 1\n",
            "w/b0.py": b"y = 1\n",
            "calls.py": b"from fastapi import FastAPI\napp = FastAPI()\n"
            + b"".join(b"def f%d(app):\n    f%d(app)\n    f%d(app)\n" % (n, n - 1, n - 1) for n in layers)
            + b"def f0(app): app.add_middleware(X)\nf39(app)\n",
            "tests.py": b"from fastapi import FastAPI\napp = FastAPI()\n"
            + b"".join(b"if c%d: app.add_middleware(M%d)\n" % (n, n) for n in layers),
        },
    )
    start = time.process_time()
    checked(tmp_path)
    assert time.process_time() - start < 15


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("pyproject.toml", b"a = " + b"[" * 20_000 + b"\n"),
        ("svc/pyproject.toml", b"a = " + b"[" * 20_000 + b"\n"),
        ("svc/pyproject.toml", b"a = " + b"9" * 5_000 + b"\n"),
        ("svc/requirements.txt", b"(" * 100_000 + b"\n" + b"-r requirements.txt\n" * 100),
        ("svc/setup.cfg", b"[" * 10_000 + b"\na\n"),
        ("svc/setup.py", b"-" * 10_000 + b"1\n"),
        (".gitattributes", b"[attr]a a\n* a\n" + b"*" * 3_000 + b"b text\n"),
        (".editorconfig", b"[" + b"{a," * 2_000 + b"}" * 2_000 + b"]\nend_of_line = lf\n"),
        ("Dockerfile", b"FROM " + b"$" * 10_000 + b"\nCMD " + b"[" * 100_000),
        ("compose.yaml", b"services: " + b"{" * 20_000),
    ],
)
def test_files_that_configure(tmp_path: Path, path: str, content: bytes) -> None:
    write(
        tmp_path,
        {path: content, "app/__init__.py": b"", "app/main.py": b"from app.gone import x\n"},
    )
    report = checked(tmp_path)
    assert "IMP001" in {finding.code for finding in report.findings}
