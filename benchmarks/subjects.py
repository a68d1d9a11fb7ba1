"""What is measured: guard in each of its states, the floor that every Python tool stands on, and the peers."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from guard.model import CannotCheck
from guard.sources.locate import open_tree

PYTHON_TARGET: Final = "3.11"
PEERS: Final = ("ruff", "pyrefly", "ty", "mypy")

_PARSE: Final = """
import ast, os, sys, warnings
warnings.simplefilter("ignore")
with open(sys.argv[1], "rb") as listing:
    paths = listing.read().split(b"\\0")
for path in paths:
    with open(os.path.join(os.fsencode(sys.argv[2]), path), "rb") as file:
        content = file.read()
    try:
        ast.parse(content)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        pass
"""


@dataclasses.dataclass(frozen=True, slots=True)
class Subject:
    """One thing to measure."""

    name: str
    command: Sequence[str]
    folder: Path
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)
    prepare: Callable[[], None] = lambda: None
    """Called before each run, and not measured."""
    good: frozenset[int] = frozenset({0, 1})
    """Exit codes of a run that did its work."""
    cached: bool = False
    """Whether it is measured with a cache that an earlier run has filled."""


@dataclasses.dataclass(frozen=True, slots=True)
class Bench:
    """What the subjects are made from."""

    tree: Path
    scratch: Path
    files: tuple[str, ...]
    """The Python files of the tree."""
    jobs: int


def python_files(tree: Path) -> tuple[str, ...]:
    """The Python files that guard sees in a folder. Raises CannotCheck where there is none."""
    found, within = open_tree((str(tree),))
    if found.root is not None and Path(found.root) != tree.resolve():
        raise CannotCheck(f"{tree} is a part of the repository in {found.root}; give that folder")
    paths = tuple(path for path, file in found.files.items() if path.endswith(".py") and not file.is_link)
    if not paths:
        raise CannotCheck(f"{tree} holds no Python file")
    return tuple(filter(within.matches, paths))


def guard_version() -> Subject:
    """`guard --version`."""
    return Subject("guard --version", [*_guard(), "--version"], Path.cwd())


def guard_cold(bench: Bench, name: str = "guard cold") -> Subject:
    """`guard check` without a cache."""
    command = [*_check(bench), "--no-cache", str(bench.tree)]
    return Subject(name, command, bench.tree, good=frozenset({0, 1, 3}))


def guard_warm(bench: Bench) -> Subject:
    """`guard check` on a tree that it has checked before, unchanged."""
    return Subject(
        "guard warm",
        [*_check(bench), str(bench.tree)],
        bench.tree,
        {"GUARD_CACHE_DIR": str(bench.scratch / "warm")},
        good=frozenset({0, 1, 3}),
        cached=True,
    )


def guard_one_changed(bench: Bench) -> Subject:
    """`guard check --gate pre-commit` with one file newly staged, in a repository of its own that holds the tree."""
    repository = bench.scratch / "staged"
    _git(bench.scratch, "init", "--quiet", str(repository))
    index = repository / ".git" / "index"
    if (bench.tree / ".git").exists():
        objects = subprocess.run(
            ["git", "rev-parse", "--path-format=absolute", "--git-path", "objects"],
            cwd=bench.tree,
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
        (repository / ".git/objects/info/alternates").write_text(f"{objects}\n")
        commit = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=bench.tree, check=True, capture_output=True, text=True
        ).stdout.strip()
        _git(repository, "read-tree", commit)
        _git(repository, "update-ref", "--no-deref", "HEAD", commit)
    else:
        _git(repository, f"--work-tree={bench.tree}", "add", "--all")
        author = ("-c", "user.name=nobody", "-c", "user.email=nobody@example.com", "-c", "commit.gpgsign=false")
        _git(repository, *author, "commit", "--quiet", "--no-verify", "--message", "the tree")
    names = subprocess.run(
        ["git", "ls-files", "-z", "--stage", "--", "*.py"], cwd=repository, check=True, capture_output=True
    ).stdout.split(b"\0")
    entries = [entry.partition(b"\t") for entry in names if entry]
    info, _, path = entries[len(entries) // 2]
    mode, oid, _ = info.split()
    content = subprocess.run(
        ["git", "cat-file", "blob", oid.decode()], cwd=repository, check=True, capture_output=True
    ).stdout
    changes = 0

    def stage_a_change() -> None:
        nonlocal changes
        changes += 1
        changed = content + b"\n# change %d\n" % changes
        new = subprocess.run(
            ["git", "hash-object", "-w", "--stdin"], cwd=repository, check=True, capture_output=True, input=changed
        ).stdout.strip()
        _git(repository, "update-index", "--cacheinfo", f"{mode.decode()},{new.decode()},{os.fsdecode(path)}")
        if not index.exists():
            raise RuntimeError("nothing was staged")

    return Subject(
        "guard one file changed",
        [*_check(bench), "--gate", "pre-commit"],
        repository,
        {"GUARD_CACHE_DIR": str(bench.scratch / "changed")},
        stage_a_change,
        frozenset({0, 1, 3}),
        cached=True,
    )


def guard_many_findings(bench: Bench) -> list[Subject]:
    """`guard check` and `guard baseline write` on a repository of their own with 10,000 findings."""
    repository = bench.scratch / "findings"
    (repository / "app").mkdir(parents=True)
    (repository / "app/__init__.py").touch()
    for module in range(100):
        lines = (f"from app import lost_{module}_{number}\n" for number in range(100))
        (repository / f"app/module_{module}.py").write_text("".join(lines))
    _git(repository, "init", "--quiet")
    baseline = repository / "guard-baseline.jsonl"
    cache = {"GUARD_CACHE_DIR": str(bench.scratch / "many")}

    def without_baseline() -> None:
        baseline.unlink(missing_ok=True)

    return [
        Subject(name, [*_guard(), *arguments.split()], repository, cache, without_baseline, cached=True)
        for name, arguments in (
            ("guard 10,000 findings", "check --output concise"),
            ("guard baseline write", "baseline write"),
        )
    ]


def parse_only(bench: Bench) -> Subject:
    """`ast.parse` over the same files in one process."""
    listing = bench.scratch / "files"
    listing.write_bytes(b"\0".join(os.fsencode(path) for path in bench.files))
    return Subject("ast.parse", [sys.executable, "-c", _PARSE, str(listing), str(bench.tree)], bench.tree)


def ruff(bench: Bench, tools: Path) -> list[Subject]:
    """ruff for syntax and undefined names, without and with its cache."""
    command = [str(tools / "ruff"), "check", "--isolated", "--quiet", "--select", "E9,F404,F821"]
    command += ["--target-version", f"py{PYTHON_TARGET.replace('.', '')}"]
    cache = ["--cache-dir", str(bench.scratch / "ruff")]
    return [
        Subject("ruff E9,F404,F821 cold", [*command, "--no-cache", str(bench.tree)], bench.tree),
        Subject("ruff E9,F404,F821 warm", [*command, *cache, str(bench.tree)], bench.tree, cached=True),
    ]


def pyrefly(bench: Bench, tools: Path) -> list[Subject]:
    """pyrefly with a configuration of its own: the tree's mypy settings could switch imports off."""
    config = bench.scratch / "pyrefly.toml"
    config.write_text(
        f'project-includes = ["{bench.tree}/**/*.py"]\nsearch-path = ["{bench.tree}"]\n'
        f'python-version = "{PYTHON_TARGET}"\n'
    )
    return [Subject("pyrefly", [str(tools / "pyrefly"), "check", "--config", str(config)], bench.scratch)]


def ty(bench: Bench, tools: Path) -> list[Subject]:
    """ty with no settings but the version of Python."""
    command = [str(tools / "ty"), "check", "--exit-zero", "--no-progress", "--output-format", "concise"]
    command += ["--python-version", PYTHON_TARGET, str(bench.tree)]
    return [Subject("ty", command, bench.scratch, good=frozenset({0, 1}))]


def mypy(bench: Bench, tools: Path) -> list[Subject]:
    """mypy, without and with its cache, on the files that it does not stop at."""
    listing = bench.scratch / "mypy-files"
    listing.write_text("\n".join(_for_mypy(bench)))
    cold, warm = bench.scratch / "mypy-cold", bench.scratch / "mypy-warm"
    command = [str(tools / "mypy"), "--config-file", os.devnull, "--python-version", PYTHON_TARGET]
    command += ["--ignore-missing-imports", "--namespace-packages", "--explicit-package-bases", "--no-error-summary"]

    def without_cache() -> None:
        shutil.rmtree(cold, ignore_errors=True)

    return [
        Subject("mypy cold", [*command, "--cache-dir", str(cold), f"@{listing}"], bench.tree, prepare=without_cache),
        Subject("mypy warm", [*command, "--cache-dir", str(warm), f"@{listing}"], bench.tree, cached=True),
    ]


def _for_mypy(bench: Bench) -> list[str]:
    """The files without those that end mypy's run at once: not valid Python, not a module's name, a module twice."""
    modules: dict[tuple[str, ...], str] = {}
    for path in bench.files:
        parts = tuple(path.removesuffix(".py").split("/"))
        parts = parts[:-1] if parts[-1] == "__init__" else parts
        if not all(part.isidentifier() for part in parts):
            continue
        try:
            compile((bench.tree / path).read_bytes(), path, "exec", dont_inherit=True)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        if parts not in modules or path.endswith("/__init__.py"):
            modules[parts] = path
    return sorted(modules.values())


MAKERS: Final[Mapping[str, Callable[[Bench, Path], list[Subject]]]] = {
    "ruff": ruff,
    "pyrefly": pyrefly,
    "ty": ty,
    "mypy": mypy,
}


def install(peers: Sequence[str], folder: Path) -> tuple[Path, dict[str, str]]:
    """Install the peers into a virtual environment in `folder`, once.

    Gives the folder of their commands, and the versions of those that are there.
    """
    tools = folder / "bin"
    if not (tools / "python").exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    versions = {}
    for peer in peers:
        if not (tools / peer).exists():
            subprocess.run(
                [str(tools / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", peer],
                check=False,
            )
        if (tools / peer).exists():
            said = subprocess.run([str(tools / peer), "--version"], check=False, capture_output=True, text=True)
            versions[peer] = said.stdout.strip()
    return tools, versions


def _guard() -> list[str]:
    script = Path(sys.executable).with_name("guard")
    return [str(script)] if script.exists() else [sys.executable, "-m", "guard"]


def _check(bench: Bench) -> list[str]:
    return [*_guard(), "check", "--output", "json", *(["--jobs", str(bench.jobs)] if bench.jobs else [])]


def _git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=folder, check=True, stdout=subprocess.DEVNULL)
