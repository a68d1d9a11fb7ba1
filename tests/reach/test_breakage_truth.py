"""How far a broken import reaches, against Python and pytest: every module is imported, and every test collected."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from guard.config import Config
from guard.engine import Options, check
from guard.model import Finding, Report
from guard.sources.directory import DirectoryTree

CODES = frozenset({"IMP001", "IMP002", "IMP012", "SYN001", "SYN004"})
TOLD = settings(
    max_examples=25, deadline=None, derandomize=True, database=None, phases=(Phase.explicit, Phase.generate)
)

Ask = Callable[[Path, Sequence[str], Sequence[str]], tuple[set[str], set[str]]]
"""A folder, modules by path, test files: those of both that fail."""


@pytest.fixture(scope="module")
def ask() -> Iterator[Ask]:
    """Python's answer. (A process is started once, and copies itself for every question.)"""
    command = [sys.executable, "-W", "ignore", str(Path(__file__).with_name("import_server.py"))]
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        questions, answers = server.stdin, server.stdout

        def answer(root: Path, paths: Sequence[str], test_files: Sequence[str]) -> tuple[set[str], set[str]]:
            names = {module_of(path): path for path in paths}
            print(json.dumps({"root": str(root), "modules": [*names], "test_files": [*test_files]}), file=questions)
            questions.flush()
            said = json.loads(answers.readline())
            return {names[name] for name in said["modules"]}, set(said["test_files"])

        yield answer
        questions.close()


def module_of(path: str) -> str:
    """The dotted name of a file."""
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def written(folder: Path, files: Mapping[str, str]) -> Path:
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(content)
    return folder


def is_test(path: str) -> bool:
    return path.rpartition("/")[2].startswith("test_")


def checked(folder: Path) -> Report:
    return check(DirectoryTree(str(folder)), Config(), CODES, Options(jobs=1))


def without(files: Mapping[str, str], findings: Sequence[Finding]) -> dict[str, str]:
    """The files with the lines of `findings` mended."""
    mended = {path: content.split("\n") for path, content in files.items()}
    for finding in findings:
        line = mended[finding.path][finding.span.line - 1]
        indent = line[: len(line) - len(line.lstrip())]
        mended[finding.path][finding.span.line - 1] = indent + _mended(finding, line.split()[-1])
    return {path: "\n".join(lines) for path, lines in mended.items()}


def _mended(finding: Finding, name: str) -> str:
    """Code that does what the line of a finding would do if what it asks for were there."""
    module = str(finding.data.get("module", ""))
    if finding.code == "IMP001":
        return f"import {module.rpartition('.')[0]}; {name.partition('.')[0]} = 1"
    return f"import {module}; {name} = 1" if module else "pass"


def compare(files: Mapping[str, str], ask: Ask, *, collect: bool) -> int:
    """Hold every figure of a report to what really happens; gives how many findings stop an import."""
    tests = sorted(path for path in files if is_test(path))
    others = sorted(path for path in files if path.endswith(".py") and not is_test(path))
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        known: dict[tuple[str, ...], tuple[set[str], set[str]]] = {}

        def truth(variant: Mapping[str, str]) -> tuple[set[str], set[str]]:
            contents = tuple(variant.values())  # the paths are the same in all of them
            if contents not in known:
                known[contents] = asked(written(place / str(len(known)), variant))
            return known[contents]

        def asked(folder: Path) -> tuple[set[str], set[str]]:
            if collect:
                return ask(folder, others, tests)
            failed, _ = ask(folder, [*others, *tests], ())
            return {path for path in failed if not is_test(path)}, {path for path in failed if is_test(path)}

        report = checked(written(place / "0", files))
        assert not [problem for problem in report.problems if problem.fatal]
        stopping = [finding for finding in report.findings if finding.extent is not None]
        failed, blocked = truth(files)
        assert (set(report.broken.modules), set(report.broken.test_files)) == (failed, blocked)
        for finding in stopping:
            assert finding.extent is not None
            # Several names of one line are mended together, and in these files no line has two.
            rest = [other for other in stopping if other is not finding]
            alone = truth(without(files, rest))
            assert (finding.extent.modules, finding.extent.test_files) == tuple(map(len, alone)), (finding, alone)
            _, still = truth(without(files, [finding]))
            assert finding.extent.frees == len(blocked - still), (finding, blocked - still)
        return len(stopping)


# Random programs

_FOLDERS = ("app", "app/core", "lib", "plain", "plain/deep", "suite", "suite/unit")
_PACKAGES = ("app", "app/core", "lib", "suite/unit")
_AROUND = (
    *("{}",) * 6,
    "try:\n    {}\nexcept ImportError:\n    value = 2",
    "try:\n    {}\nexcept (ValueError, ModuleNotFoundError):\n    value = 2",
    "try:\n    {}\nexcept Exception:\n    pass",
    "try:\n    {}\nexcept KeyError:\n    pass",
    "try:\n    {}\nexcept ImportError:\n    raise",
    "try:\n    {}\nfinally:\n    value = 3",
    "try:\n    try:\n        {}\n    except SyntaxError:\n        pass\nexcept NameError:\n    pass",
    "import contextlib\nwith contextlib.suppress(ImportError):\n    {}",
    "def later():\n    {}",
    "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    {}",
    "if __name__ == '__main__':\n    {}",
    "class Holder:\n    {}",
)


@st.composite
def programs(draw: st.DrawFn, *, circles: bool) -> dict[str, str]:
    """A few modules in packages and plain folders, with tests, that import one another, some in vain.

    Either with circles and nothing that catches a failure, or with handlers and no circles: what a module that was
    loaded on the way to a failure that somebody caught does to later imports is nothing that can be told beforehand.
    """
    rng = random.Random(draw(st.integers(0, 1 << 30)))
    inits = [f"{folder}/__init__.py" for folder in _PACKAGES]
    modules = [f"{rng.choice(_FOLDERS[:5])}/m{number}.py" for number in range(draw(st.integers(2, 5)))]
    conftests = [f"{folder}/conftest.py" for folder in _FOLDERS[5:] if rng.random() < 0.5]
    tests = [f"{rng.choice(_FOLDERS[5:])}/test_{number}.py" for number in range(draw(st.integers(1, 3)))]
    order = [*inits, *modules, *conftests, *tests]
    around = ("{}",) if circles else _AROUND
    files: dict[str, str] = {}
    for number, path in enumerate(order):
        lines = ["value = 1"]
        others = [other for other in (order if circles else order[:number]) if other != path]
        others = [other for other in others if not is_test(other) and not other.endswith("conftest.py")]
        for _ in range(rng.choice((0, 1, 1, 2, 3)) if others else 0):
            form = rng.choice(around)
            stars = not circles and not form.startswith(("def", "class"))
            lines += [form.format(_import_of(rng, path, rng.choice(others), order, stars=stars))]
        if rng.random() < 0.3:
            # What fails first may be caught where what fails next is not: nobody counts on that.
            form = rng.choice([form for form in around if "NameError" not in form and "ModuleNot" not in form])
            # Left to ruff is a name that a star import may bind, and to nobody what a `with` swallows.
            undefined = "import *" not in "\n".join(lines) and "with" not in form
            lines.append(form.format(_broken(rng, others, undefined=undefined)))
        if is_test(path):
            lines.append("def test_it(): pass")
        files[path] = "\n".join(lines) + "\n"
    return files


def _import_of(rng: random.Random, path: str, used: str, order: Sequence[str], *, stars: bool) -> str:
    name = module_of(used)
    package, _, last = name.rpartition(".")
    forms = [f"import {name}", f"import {name} as other", f"from {name} import value"]
    if stars:
        forms.append(f"from {name} import *")
    if package:
        forms.append(f"from {package} import {last}")
    folder, own = used.rpartition("/")[0], path.rpartition("/")[0]
    if folder == own and f"{own}/__init__.py" in order and not used.endswith("__init__.py"):
        forms += [f"from .{last} import value", f"from . import {last}"]
    return rng.choice(forms)


def _broken(rng: random.Random, others: Sequence[str], *, undefined: bool) -> str:
    forms = ["undefined_thing" if undefined else "pass"]
    forms += ["import app.nowhere"] * ("app/__init__.py" in others)
    forms += ["from app.core.nowhere import thing"] * ("app/core/__init__.py" in others)
    inside = [other for other in others if not other.startswith("plain")]
    if inside:
        forms.append(f"from {module_of(rng.choice(inside))} import gone")
    return rng.choice(forms)


def without_conftest(files: Mapping[str, str]) -> dict[str, str]:
    return {path: content for path, content in files.items() if "conftest" not in path}


@TOLD
@given(programs(circles=False))
def test_modules_that_catch_failures(ask: Ask, files: dict[str, str]) -> None:
    compare(without_conftest(files), ask, collect=False)


@TOLD
@given(programs(circles=True))
def test_circles(ask: Ask, files: dict[str, str]) -> None:
    compare(without_conftest(files), ask, collect=False)


@settings(TOLD, max_examples=8)
@given(programs(circles=False))
def test_what_pytest_collects(ask: Ask, files: dict[str, str]) -> None:
    compare(files, ask, collect=True)
