"""Dockerfiles and compose files that nobody wrote in good faith: neither long runs, nor errors."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from guard.images.builds import find_builds
from guard.images.dockerfile import read_dockerfile
from guard.sources.directory import DirectoryTree
from tests.engine.support import write


@pytest.mark.parametrize(
    "text",
    [
        "FROM a\nRUN " + "--mount=" * 100_000,
        "FROM a\nRUN " + "git -" * 150_000,
        "FROM a\nCOPY " + "./" * 300_000 + " /x",
        "FROM a\nCOPY " + "a." * 300_000 + "* /x",
        "FROM a\nCOPY " + "[" * 300_000,
        "FROM a AS a\n" * 50_000,
        "FROM scratch AS a\nFROM a AS b\nFROM b AS a\nFROM a\nCOPY --from=9999999999999999999 . .\nCOPY --from=0 . .",
        "FROM\nCOPY\nCOPY a\nADD --from\nCMD\nENTRYPOINT [\nWORKDIR\nRUN <<EOF\n",
        "COPY . .\nCMD a",
        "",
    ],
    ids=range(10),
)
def test_a_dockerfile_is_read_at_once(text: str) -> None:
    started = time.perf_counter()
    found = read_dockerfile(text)
    for target in ("", "a", "gone"):
        assert len(found.needed(target)) <= len(found.stages)
        found.starting_lines(target)
    assert time.perf_counter() - started < 10


def test_odd_builds_are_passed_over(tmp_path: Path) -> None:
    services = "\n".join(
        f"  s{number}: {{build: {value}}}"
        for number, value in enumerate(
            (
                "..",
                "/",
                "''",
                "[]",
                "1",
                "{context: ../..}",
                "{context: [a]}",
                "{dockerfile: /Dockerfile}",
                "{target: $A}",
            )
        )
    )
    files = {
        "compose.yml": f"services:\n{services}\n".encode(),
        "docker-compose.yml": b"services: [build]\n",
        "compose.bad.yml": b"services: {build: {{{\n",
        "Dockerfile": b"FROM scratch\nCOPY ../x /x\nCOPY a\xff /y\n",
        "sub/Dockerfile": b"\xff\xfe",
    }
    found = find_builds(DirectoryTree(str(write(tmp_path / "tree", files)))).builds
    assert [(build.path, build.context) for build in found] == [("Dockerfile", "")]
