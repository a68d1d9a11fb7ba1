"""Shapes of code in which linking must not take the longer the more ways there are through them."""

from __future__ import annotations

import time
from pathlib import Path

from guard.config import load
from guard.engine import Options, check
from guard.model import Report
from guard.registry import all_rules
from guard.sources.directory import DirectoryTree

_SECONDS = 20
"""Far more than any of them needs, far less than one that is not linear in the ways."""


def _checked(folder: Path, files: dict[str, str]) -> Report:
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(content)
    rules = all_rules()
    tree = DirectoryTree(str(folder))
    started = time.process_time()
    report = check(tree, load(tree, "", (), rules=rules), frozenset(rules), Options(jobs=1))
    assert time.process_time() - started < _SECONDS
    return report


def _codes(report: Report) -> list[str]:
    return [finding.code for finding in report.findings]


def test_a_long_chain_of_data_classes(tmp_path: Path) -> None:
    chain = "".join(f"@dataclass\nclass A{n + 1}(A{n}):\n    y{n}: int = 0\n" for n in range(90))
    source = f"from dataclasses import dataclass\n@dataclass\nclass A0:\n    x: int = 0\n{chain}A90(zz=1)\nA90(y7=1)\n"
    assert _codes(_checked(tmp_path, {"m.py": source})) == ["DCF002"]


def test_a_circle_of_bases_is_not_judged(tmp_path: Path) -> None:
    source = "class A(C): ...\nclass B(A): ...\nclass C(B): ...\nclass D(A): ...\nD(1)\n"
    assert "DCF002" not in _codes(_checked(tmp_path, {"m.py": source}))


def test_many_ways_through_star_imports(tmp_path: Path) -> None:
    depth = 40
    both = {
        f"app/{side}{n}.py": f"from app.l{n + 1} import *\nfrom app.r{n + 1} import *\n"
        for n in range(depth)
        for side in "lr"
    }
    files = {
        "app/__init__.py": "",
        **both,
        f"app/l{depth}.py": "a = 1\n",
        f"app/r{depth}.py": "b = 1\n",
        "app/main.py": "from app.l0 import a, b, gone\n",
    }
    assert _codes(_checked(tmp_path, files)) == ["IMP002"]


def test_a_long_chain_of_star_imports(tmp_path: Path) -> None:
    """Followed as far as anybody writes, and not judged beyond."""
    files = {f"m{n:03}.py": f"from m{n + 1:03} import *\n" for n in range(600)}
    files |= {"m600.py": "x = 1\n", "near.py": "from m590 import x, y\n", "far.py": "from m000 import x, y\n"}
    report = _checked(tmp_path, files)
    assert [(finding.path, finding.code) for finding in report.findings] == [("near.py", "IMP002")]
