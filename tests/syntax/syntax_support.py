"""What the tests of the SYN family share: facts of one text, and the Pythons of this machine."""

from __future__ import annotations

import ast
import functools
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from guard.checks.syntax import SyntaxCollector, SyntaxFacts
from guard.parse import parse, parse_newer
from guard.syntax_oracle import diagnose
from guard.walk import walk

RUNNING = sys.version_info[:2]
VERSIONS = ((3, 11), (3, 12), (3, 13))


def facts_of(contents: Sequence[bytes], target: tuple[int, int] = RUNNING) -> list[SyntaxFacts]:
    """The facts of each content, as a run for `target` gathers them."""
    return [_facts(content, found, target) for content, found in zip(contents, diagnose(contents, target), strict=True)]


def _facts(content: bytes, diagnostics: list, target: tuple[int, int]) -> SyntaxFacts:  # type: ignore[type-arg]
    parsed = parse(content, "python", tuple(diagnostics), target)
    if parsed.tree is None and parsed.readable_by_newer:
        parsed = parse_newer(parsed)
    collector = SyntaxCollector(parsed)
    scope = walk(parsed.tree or ast.Module(body=[], type_ignores=[]), [collector])
    return collector.finish(scope) or SyntaxFacts()


@functools.cache
def interpreter(version: tuple[int, int]) -> str | None:
    """An interpreter of `version` on this machine: the running one, one on PATH, or one of pyenv's."""
    if version == RUNNING:
        return sys.executable
    name = "python%d.%d" % version
    candidates = [
        shutil.which(name),
        *sorted(map(str, Path.home().glob(".pyenv/versions/%d.%d.*/bin/python" % version))),
    ]
    return next((found for found in candidates if found and _is(found, version)), None)


def _is(executable: str, version: tuple[int, int]) -> bool:
    said = subprocess.run(
        [executable, "-c", "import sys; print(*sys.version_info[:2])"], capture_output=True, text=True
    )
    return said.returncode == 0 and said.stdout.split() == [str(part) for part in version]
