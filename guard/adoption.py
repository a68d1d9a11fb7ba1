"""What a repository gets when it takes guard up: new files, and lines in .gitattributes. All that is there stays.

Pure but for the checks that it asks for: a tree in, contents by path out. What would mean to change somebody's file is
told as an advice with the lines to add.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import msgspec

from guard import baseline, fixing
from guard.config import Config
from guard.model import CannotCheck, Report
from guard.report.escape import visible
from guard.sources.tree import Tree

Checked = Callable[[Tree, Config, frozenset[str] | None], Report]
"""Gives the report on a tree with a configuration, by some rules or by all that are on."""

_PLAIN: Final = re.compile(r"[\w./-]+", re.ASCII)
_PINS: Final = frozenset({"EOL002"})
_HOOK: Final = "guard check --gate pre-commit"
_SETTINGS: Final = """\
# The settings of guard. `guard config` prints all of them, and what was detected where none is given.
{baseline}"""
_BASELINE: Final = """
# The findings that were there when guard was taken up. `guard baseline prune` takes out what is mended.
baseline = "{name}"
"""
_PRE_COMMIT: Final = """\
default_install_hook_types: [pre-commit, pre-merge-commit, pre-push]
repos:
  - repo: local
    hooks:
      - id: guard
        name: guard
        entry: {hook}
        language: system # guard has to be installed where commits are made
        always_run: true # a commit that only deletes files breaks imports too
        pass_filenames: false
        require_serial: true
        stages: [pre-commit, pre-merge-commit, pre-push, manual]
"""
_WORKFLOW: Final = """\
name: guard
on:
  push:
  pull_request:
permissions:
  contents: read
jobs:
  guard:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with:
          python-version: "3.12"
      - run: pip install deploy-guard # or wherever your build of guard is
      - run: guard check --output github --output markdown:guard.md
      - run: cat guard.md >> "$GITHUB_STEP_SUMMARY"
        if: always()
"""
_DOCKER: Final = """\
{path}: to stop the build of a broken tree, add a step for which guard is installed (guard's docs/ci.md shows how)
    RUN {step}"""
_STEP: Final = "guard check --gate image ."
HOOK_SCRIPT: Final = f"#!/bin/sh\n# Stops a commit that brings in what guard finds.\nexec {_HOOK}\n"
"""A hook of plain git, for `pre-commit` and `pre-merge-commit`."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line asks for beside the rest."""

    baseline: bool = False
    pre_commit: bool = True
    """Whether the hook of pre-commit is wanted: not where git's own is."""


class Adoption(msgspec.Struct, frozen=True):
    """What taking guard up comes to."""

    changes: Mapping[str, bytes]
    """New contents by path, of the files that are made or added to."""
    advice: tuple[str, ...]
    """What is left to do by hand, each with the lines to add; to be shown as it is."""
    baseline: str = ""
    """The new baseline, which is one of `changes`; empty for none."""
    known: int = 0
    """Findings in it."""


def adopt(tree: Tree, config: Config, wanted: Wanted, checked: Checked) -> Adoption:
    """What taking guard up changes in a tree; nothing where all of it is there.

    Raises CannotCheck where a baseline is wanted and not everything could be checked.
    """
    changes: dict[str, bytes] = {}
    advice: list[str] = []
    name = config.baseline or baseline.DEFAULT
    # A file that sets nothing is none to go by, and it is there all the same.
    there = [*config.sources, *(path for path in ("guard.toml",) if path in tree.files)]
    if not there:
        settings = _BASELINE.format(name=name) if wanted.baseline else ""
        changes["guard.toml"] = _SETTINGS.format(baseline=settings).encode()
    elif wanted.baseline and not config.baseline:
        advice.append(f'{visible(there[0])}: to use the baseline, add\n    baseline = "{name}"')
    changes.update(_hooks(tree, wanted, advice))
    changes.update(_workflow(tree, advice))
    advice.extend(_in_images(tree))
    makes_baseline = wanted.baseline and name not in tree.files
    if makes_baseline:
        changes.update(_merging(tree, name))
    # The new files have to be pinned too, so the pins come after them; and none of this may be a finding of its own.
    laid = fixing.OverlayTree(tree, changes)
    pinned = fixing.fix(laid, checked(laid, config, _PINS), lambda on: checked(on, config, _PINS), unsafe=False)
    changes.update(pinned.changes)
    known = 0
    if makes_baseline:
        report = checked(fixing.OverlayTree(tree, changes), msgspec.structs.replace(config, baseline=""), None)
        for problem in report.problems:
            if problem.fatal:
                raise CannotCheck(
                    f"not everything could be checked, so there is no baseline: {problem.path}: {problem.message}"
                )
        entries = [baseline.entry_of(finding) for finding in report.findings if baseline.can_know(finding)]
        changes[name] = baseline.render(entries)
        known = len(entries)
    return Adoption(changes, tuple(advice), name if makes_baseline else "", known)


def _merging(tree: Tree, name: str) -> Iterator[tuple[str, bytes]]:
    """What lets two branches that mend different findings merge: git takes changes of adjacent lines for a conflict.

    Of a name that an attribute file would have to quote, nothing.
    """
    path = ".gitattributes"
    there = tree.read(path) if path in tree.files else b""
    if there is None or name.encode() in there or not _PLAIN.fullmatch(name):
        return
    end = b"\r\n" if b"\r\n" in there else b"\n"
    before = there + end if there and not there.endswith(b"\n") else there
    yield path, before + b"/%s text eol=lf merge=union" % name.encode() + end


def _hooks(tree: Tree, wanted: Wanted, advice: list[str]) -> Iterator[tuple[str, bytes]]:
    path = ".pre-commit-config.yaml"
    if not wanted.pre_commit or tree.git is None:
        return
    text = _PRE_COMMIT.format(hook=_HOOK)
    if path not in tree.files:
        yield path, text.encode()
    elif b"guard" not in (tree.read(path) or b""):
        advice.append(
            f"{path}: to check each commit, add to its repos\n{text.partition('repos:' + chr(10))[2].rstrip()}"
        )


def _workflow(tree: Tree, advice: list[str]) -> Iterator[tuple[str, bytes]]:
    folder, path = ".github/workflows/", ".github/workflows/guard.yml"
    workflows = [one for one in tree.files if one.startswith(folder)]
    is_on_github = any(one.startswith(".github/") for one in tree.files)
    if is_on_github and path not in tree.files and not any(_names_guard(tree, one) for one in workflows):
        yield path, _WORKFLOW.encode()
    if ".gitlab-ci.yml" in tree.files and not _names_guard(tree, ".gitlab-ci.yml"):
        advice.append(
            ".gitlab-ci.yml: to check each push, add a job with the script\n"
            "    guard check --output text --output gitlab:gl-code-quality.json"
        )


def _in_images(tree: Tree) -> Iterator[str]:
    for path in sorted(tree.files):
        name = posixpath.basename(path)
        if (name == "Dockerfile" or name.startswith("Dockerfile.")) and not _names_guard(tree, path):
            yield _DOCKER.format(path=visible(path), step=_STEP)


def _names_guard(tree: Tree, path: str) -> bool:
    return b"guard check" in (tree.read(path) or b"") or b"guard report" in (tree.read(path) or b"")
