"""`make demo`: guard at work on a throwaway repository that holds the documented failures in small, and its
staging loop on a small service.

Everything that is shown is guard's real output. The demo fails where guard does not say what is expected.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from examples import loop_demo
from examples.shop import STORIES, commit, write_repository
from examples.telling import command, fail, item, say, title

_Found = set[tuple[str, str]]
"""Findings as (code, path)."""


def main() -> None:
    """Run the demo, or the parts of it that the command line names: `check`, `loop`.

    Exits with 1 where something is not as expected.
    """
    parts = sys.argv[1:] or ["check", "loop"]
    with tempfile.TemporaryDirectory(prefix="guard-demo-") as scratch:
        os.environ.update(
            GUARD_CACHE_DIR=str(Path(scratch, "cache")), GIT_CONFIG_GLOBAL=os.devnull, GIT_CONFIG_SYSTEM=os.devnull
        )
        if "check" in parts:
            _check(Path(scratch, "shop"))
        if "loop" in parts:
            loop_demo.run(Path(scratch, "chat"))
    if Path(scratch).exists():
        fail(f"{scratch} was left behind")
    say("The repositories are gone again; nothing was left behind.")


def _check(shop: Path) -> None:
    """guard at work on a repository with the documented failures."""
    expected = {finding for story in STORIES for finding in story.findings}
    by_hand = {finding for story in STORIES if story.mends for finding in story.findings}
    shop.mkdir()
    write_repository(shop)

    title("1. A small service, with failures that took a real one down")
    for story in STORIES:
        item(story.title, story.what_happened)

    title("2. What guard says of it")
    _expect("findings", _guard(shop, "check"), (1, expected))

    title("3. What guard mends by itself")
    say("Fixes are safe ones unless --unsafe-fixes is given: they do not change what the code does.")
    _expect("findings after --fix", _guard(shop, "check", "--fix", quiet=True), (1, by_hand))
    commit(shop, "Mended by guard")
    _git(shop, "show", "--stat", "--format=%s")

    title("4. What remains for a person, and why")
    for story in STORIES:
        if story.mends:
            codes = ", ".join(sorted({code for code, _ in story.findings}))
            item(f"{story.title} ({codes})", f"Not guard's to mend: {story.mends[0].why_not_guard}.")
            for mend in story.mends:
                _replace(shop / mend.path, mend.old, mend.new)
    say("The mends, as a person would make them:")
    _git(shop, "diff", "--unified=1")
    commit(shop, "Mended by hand")

    title("5. What guard says now")
    _expect("findings after the mends", _guard(shop, "check"), (0, set()))
    say("And Python agrees, on those of the modules that need nothing else:")
    _python(shop, "from shop.factory import Factory; print(Factory().report())")
    _python(shop, "from shop.helper import DataHelper; print(DataHelper().load('apple'))")


def _guard(folder: Path, *arguments: str, quiet: bool = False) -> tuple[int, _Found]:
    """Run guard, showing its output (only what it did, when `quiet`). Gives its exit code and what it found."""
    command("guard", *arguments)
    report = folder.parent / "report.json"
    outputs = [f"--output=json:{report}", *([] if quiet else ["--output=text"])]
    done = subprocess.run([sys.executable, "-m", "guard", *arguments, *outputs], cwd=folder, check=False)
    if done.returncode not in (0, 1):
        fail(f"guard ended with {done.returncode}")
    left = "findings are left" if done.returncode else "nothing is left to mend"
    print(f"(exit code {done.returncode}: {left})")
    findings = json.loads(report.read_bytes())["findings"]
    return done.returncode, {(finding["code"], finding["path"]) for finding in findings}


def _git(folder: Path, *arguments: str) -> None:
    command("git", *arguments)
    subprocess.run(["git", "--no-pager", *arguments], cwd=folder, check=True)


def _python(folder: Path, code: str) -> None:
    command("python", "-c", f'"{code}"')
    subprocess.run([sys.executable, "-B", "-c", code], cwd=folder, check=True)


def _replace(path: Path, old: str, new: str) -> None:
    content = path.read_bytes().decode()
    if old not in content:
        fail(f"{path.name} does not hold what is to be mended")
    path.write_bytes(content.replace(old, new).encode())


def _expect(what: str, found: tuple[int, _Found], expected: tuple[int, _Found]) -> None:
    if found == expected:
        return
    lines = [f"{what} are not as expected; exit code {found[0]}, expected {expected[0]}"]
    lines += [f"  missing: {code} {path}" for code, path in sorted(expected[1] - found[1])]
    lines += [f"  not expected: {code} {path}" for code, path in sorted(found[1] - expected[1])]
    fail("\n".join(lines))


if __name__ == "__main__":
    main()
