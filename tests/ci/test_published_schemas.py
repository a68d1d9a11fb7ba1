"""The files for CI systems, and every YAML example of the documentation, against what others publish of their formats.

check-jsonschema brings the schemas of SchemaStore along, so nothing is fetched.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from ci_support import ROOT, yaml_blocks

WORKFLOW, ACTION, GITLAB = "vendor.github-workflows", "vendor.github-actions", "vendor.gitlab-ci"
HOOKS, HOOK_LIST = "validate-config", "validate-manifest"
PAGES = sorted(str(page.relative_to(ROOT)) for page in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md")))
EXAMPLES = [(page, block) for page in PAGES for block in yaml_blocks(page)]
STEPS = "on: push\njobs:\n  job:\n    runs-on: ubuntu-latest\n    steps:\n"
"""What a list of steps stands in."""


def kind_of(block: str) -> str:
    """What an example is, by its first key."""
    keys = {line.partition(":")[0] for line in block.splitlines() if not line.startswith((" ", "#"))}
    if "jobs" in keys or "- uses" in keys:
        return WORKFLOW
    return HOOKS if "repos" in keys else GITLAB


def complaints(kind: str, text: str, folder: Path) -> str:
    """What the tool for such files says of one; nothing where it is right."""
    file = folder / ".gitlab-ci.yml"
    if kind == WORKFLOW and text.startswith("- "):
        text = STEPS + "".join(f"      {line}\n" for line in text.splitlines())
    file.write_text(text, encoding="utf-8")
    command: Sequence[str] = ("check_jsonschema", "--builtin-schema", kind)
    if kind in (HOOKS, HOOK_LIST):
        command = ("pre_commit", kind)
    done = subprocess.run([sys.executable, "-m", *command, str(file)], capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


@pytest.mark.parametrize(("page", "block"), EXAMPLES, ids=[f"{page}-{kind_of(block)}" for page, block in EXAMPLES])
def test_examples_in_the_docs(page: str, block: str, tmp_path: Path) -> None:
    assert complaints(kind_of(block), block, tmp_path) == ""


def test_there_are_examples_of_every_kind() -> None:
    assert {kind_of(block) for _, block in EXAMPLES} == {WORKFLOW, HOOKS, GITLAB}
    assert any(block.startswith("- ") for _, block in EXAMPLES)


def test_the_action(tmp_path: Path) -> None:
    assert complaints(ACTION, (ROOT / "action.yml").read_text(encoding="utf-8"), tmp_path) == ""


def test_the_component(tmp_path: Path) -> None:
    head, jobs = (ROOT / "templates/guard.yml").read_text(encoding="utf-8").split("\n---\n")
    assert complaints(GITLAB, head, tmp_path) == ""
    assert complaints(GITLAB, jobs, tmp_path) == ""


def test_the_hooks(tmp_path: Path) -> None:
    assert complaints(HOOK_LIST, (ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"), tmp_path) == ""


@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [
        (WORKFLOW, "runs-on:", "run-on:"),
        (WORKFLOW, "contents: read", "content: read"),
        (WORKFLOW, "pull_request:", "pull_requests:"),
        (WORKFLOW, "- uses: actions/checkout@v4\n", "- uses: actions/checkout@v4\n  wiht: {fetch-depth: 0}\n"),
        (HOOKS, "- id: guard", "- name: guard"),
        (GITLAB, "artifacts:", "artifact:"),
        (GITLAB, "codequality:", "code_quality:"),
        (GITLAB, "component: $CI_SERVER_FQDN/your-group/guard/guard@v0.1.0", "component: [guard]"),
    ],
)
def test_a_broken_example_is_told(kind: str, right: str, wrong: str, tmp_path: Path) -> None:
    block = next(block for _, block in EXAMPLES if kind_of(block) == kind and right in block)
    assert complaints(kind, block.replace(right, wrong), tmp_path)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("using: composite", "using: composit"),
        ("shell: bash\n", "\n"),
        ("default:", "defaults:"),
        ("    value:", "    v:"),
    ],
)
def test_a_broken_action_is_told(right: str, wrong: str, tmp_path: Path) -> None:
    text = (ROOT / "action.yml").read_text(encoding="utf-8")
    assert right in text
    assert complaints(ACTION, text.replace(right, wrong, 1), tmp_path)
