"""The files for CI systems, read as those systems read them, and their scripts run with what these would give them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]


def loaded(text: str) -> list[Any]:
    """The documents of a YAML text: plain values; a key that is given twice is an error."""
    return list(YAML(typ="safe", pure=True).load_all(text))


def strings_in(value: object) -> Iterator[str]:
    """Every string in a document, keys too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from strings_in(key)
            yield from strings_in(item)
    elif isinstance(value, Sequence):
        for item in value:
            yield from strings_in(item)


def yaml_blocks(page: str) -> list[str]:
    """The YAML examples of a page."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(r"^```yaml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def put_guard(folder: Path) -> Path:
    """`guard` and `python` in a folder of programs, as an environment has them."""
    folder.mkdir(parents=True)
    for name, words in (("guard", '-P -m guard "$@"'), ("python", '"$@"')):
        program = folder / name
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" {words}\n')
        program.chmod(0o755)
    return folder


def run_script(
    script: str, folder: Path, environment: Mapping[str, str], shell: Sequence[str]
) -> subprocess.CompletedProcess[str]:
    """Run a step's script in `folder`."""
    return subprocess.run(
        [*shell, "-c", script],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        check=False,
        capture_output=True,
        text=True,
    )


def made(folder: Path, files: Mapping[str, str], message: str) -> str:
    """Write files and commit them in the repository in `folder`, which is made; gives the commit."""
    if not (folder / ".git").exists():
        folder.mkdir(parents=True)
        subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(content)
    for command in (["add", "-A"], ["commit", "-q", "-m", message]):
        subprocess.run(["git", *command], cwd=folder, check=True)
    found = subprocess.run(["git", "rev-parse", "HEAD"], cwd=folder, check=True, capture_output=True, text=True)
    return found.stdout.strip()


HEALTHY = {
    ".gitattributes": "* text eol=lf\n",
    "app/__init__.py": "VERSION = 1\n",
    "app/store.py": "def load() -> int:\n    return 1\n",
    "app/main.py": "from app.store import load\n\nload()\n",
}
BREAKING = {"app/main.py": "from app.store import load, save\n\nload()\nsave()\n"}
