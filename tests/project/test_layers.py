"""guard's own layers, as docs/architecture.md has them, checked with guard's own module table."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from guard.cache import Cache
from guard.checks.module_facts import TYPING
from guard.checks.modules import FAMILY as MODULES
from guard.checks.modules import Modules
from guard.config import Config
from guard.engine import Options, collect
from guard.facts import Gathering
from guard.program import Program
from guard.sources.directory import DirectoryTree
from guard.target import target_python

ROOT = Path(__file__).parents[2]


def layers() -> Mapping[str, int]:
    """The layer of each module or package below `guard`, 0 for the lowest, as the page lists them."""
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    block = re.search(r"^```layers\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert block is not None
    lines = [line.split() for line in block[1].splitlines()]
    found = {name: number for number, names in enumerate(reversed(lines)) for name in names}
    assert len(found) == sum(map(len, lines)), "a module is listed twice"
    return found


def unit(path: str) -> str:
    """The module or package below `guard` that a file belongs to: `guard/checks/text.py` is of `checks`."""
    return path.split("/")[1].removesuffix(".py")


def linked(folder: Path) -> Modules:
    """The module table of a folder."""
    tree, config = DirectoryTree(str(folder)), Config()
    target = target_python(tree, config)
    gathering = Gathering(target.version, config.python_limit)
    facts, problems = collect(tree, list(tree.files.values()), gathering, Options(jobs=1), Cache(None))
    assert not problems
    return Program(tree, config, target, facts).linked(MODULES)


def first_party_imports(modules: Modules) -> Iterator[tuple[str, int, str]]:
    """Importing file, line and imported file, of every import that is there at run time."""
    for path, facts in modules.facts.items():
        for statement in facts.imports:
            if statement.flags & TYPING:
                continue
            named = [statement.module] if statement.level >= 0 else [alias.name for alias in statement.aliases]
            for module in named:
                for target in modules.resolve(path, max(statement.level, 0), module).targets:
                    folder = modules.layout.folder_of(target)
                    below = [
                        found.path
                        for alias in statement.aliases
                        if statement.level >= 0 and folder is not None
                        if (found := modules.layout.step(folder, alias.name)) is not None
                    ]
                    for imported in below or [target.path]:
                        yield path, statement.line, imported


def violations(modules: Modules, levels: Mapping[str, int]) -> list[str]:
    """The imports that do not lead to a lower layer, except those inside one package."""
    return [
        f"{path}:{line} imports {imported}"
        for path, line, imported in first_party_imports(modules)
        if imported not in ("guard/__init__.py", "guard/__main__.py") and path != "guard/__main__.py"
        if unit(path) != unit(imported) and levels[unit(path)] <= levels[unit(imported)]
    ]


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Modules:
    """The module table of guard itself."""
    folder = tmp_path_factory.mktemp("self")
    shutil.copytree(ROOT / "guard", folder / "guard", ignore=shutil.ignore_patterns("__pycache__"))
    return linked(folder)


def test_imports_lead_down(modules: Modules) -> None:
    assert violations(modules, layers()) == []


def test_every_module_is_in_a_layer() -> None:
    found = {file.name.removesuffix(".py") for file in (ROOT / "guard").iterdir() if file.suffix == ".py"}
    found |= {file.parent.name for file in (ROOT / "guard").glob("*/__init__.py")}
    assert found - {"__init__", "__main__"} == set(layers())


def test_the_imports_of_guard_are_seen(modules: Modules) -> None:
    edges = {(path, imported) for path, _, imported in first_party_imports(modules)}
    assert ("guard/engine.py", "guard/cache.py") in edges
    assert ("guard/cli/check.py", "guard/cli/mending.py") in edges  # inside a function
    assert ("guard/program.py", "guard/config.py") not in edges  # under TYPE_CHECKING


def test_an_import_that_leads_up_is_told(tmp_path: Path) -> None:
    for path, content in {
        "guard/__init__.py": "",
        "guard/model.py": "def f():\n    from guard import engine\n",
        "guard/engine.py": "from guard.report.text import render\nfrom guard import model\n",
        "guard/report/__init__.py": "",
        "guard/report/text.py": "from guard.report import render\nimport guard.model\n",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(content)
    assert violations(linked(tmp_path), {"report": 2, "engine": 1, "model": 0}) == [
        "guard/engine.py:1 imports guard/report/text.py",
        "guard/model.py:2 imports guard/engine.py",
    ]
