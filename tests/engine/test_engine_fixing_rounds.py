"""Many fixes at once: which of them stand the check, how few checks that takes, and why the others do not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from guard import fixing
from guard.fixes import Refused
from guard.model import Finding, Fix, Impact, Related, Report, Severity, Span
from guard.sources.directory import DirectoryTree
from guard.sources.tree import Tree
from tests.engine.support import write

Appearing = Callable[[dict[str, str]], list[tuple[str, str]]]


def finding(path: str, line: int, text: str, related: tuple[str, ...] = ()) -> Finding:
    return Finding(
        code="IMP001",
        slug="missing-module",
        severity=Severity.ERROR,
        impact=Impact.RUNTIME,
        path=path,
        span=Span(line).closed(),
        message=text,
        symbol="",
        fingerprint=text,
        fix=Fix("safe", "mend it"),
        related=tuple(Related(one, 1, "") for one in related),
    )


class Checked:
    """A tree whose lines `broken …` are findings; more of them appear as `appearing` has it. Counts the checks."""

    def __init__(self, folder: Path, files: dict[str, str], appearing: Appearing = lambda _: []) -> None:
        self.tree = DirectoryTree(str(write(folder, {path: text.encode() for path, text in files.items()})))
        self.appearing = appearing
        self.checks = 0

    def report(self, tree: Tree) -> Report:
        self.checks += 1
        texts = {path: content.decode() for path, content in tree.read_many(tree.files)}
        found = [
            finding(path, number, line)
            for path, text in texts.items()
            for number, line in enumerate(text.split("\n"), 1)
            if line.startswith("broken")
        ]
        found += [finding(path, 1, "appeared", tuple(cause.split())) for path, cause in self.appearing(texts)]
        return Report(
            guard="",
            tree_kind="directory",
            tree_label="",
            files_found=1,
            files_analysed=1,
            findings=tuple(found),
            problems=(),
        )

    def fix(self) -> fixing.Fixed:
        first = self.report(self.tree)
        self.checks = 0
        return fixing.fix(self.tree, first, self.report, unsafe=False)


def mend(content: bytes, findings: Sequence[Finding]) -> bytes | Refused:
    """Mends a line by its last word."""
    lines = content.decode().split("\n")
    for one in findings:
        if "never" in one.message:
            return Refused("it never works")
        if "stays" not in one.message:
            lines[one.span.line - 1] = one.message.replace("broken", "mended")
    return "\n".join([*lines, "#"]).encode()


@pytest.fixture(autouse=True)
def fake_fixer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fixing, "fixers", lambda: {"IMP001": mend})


def reasons(fixed: fixing.Fixed) -> list[tuple[str, int, str]]:
    return [(one.path, one.line, one.reason) for one in fixed.refused]


def test_one_check_where_all_is_well(tmp_path: Path) -> None:
    checked = Checked(tmp_path, {f"{number:03}": "broken 1\nbroken 2\n" for number in range(100)})
    fixed = checked.fix()
    assert checked.checks == 1
    assert len(fixed.mended) == 200
    assert not fixed.refused
    assert not fixed.report.findings


def test_a_bad_fix_costs_its_file_and_a_few_checks(tmp_path: Path) -> None:
    files = {f"{number:03}": "broken 1\n" for number in range(100)}
    files["050"] = "".join(f"broken {number}\n" for number in range(8))

    def appearing(texts: dict[str, str]) -> list[tuple[str, str]]:
        return [("050", "")] if "mended 5" in texts["050"] else []

    checked = Checked(tmp_path, files, appearing)
    fixed = checked.fix()
    assert reasons(fixed) == [("050", 6, "it would bring in IMP001 at 050:1")]
    assert len(fixed.mended) == 106
    assert checked.checks <= 9


def test_what_appears_elsewhere_is_traced_to_its_cause(tmp_path: Path) -> None:
    files = {f"{number:03}": "broken 1\n" for number in range(64)}
    files["other"] = ""

    def appearing(texts: dict[str, str]) -> list[tuple[str, str]]:
        return [("other", "")] if texts["017"].startswith("mended") else []

    checked = Checked(tmp_path, files, appearing)
    fixed = checked.fix()
    assert reasons(fixed) == [("017", 1, "it would bring in IMP001 at other:1")]
    assert len(fixed.mended) == 63
    assert checked.checks <= 2 * 6 + 1


def test_what_appears_elsewhere_and_names_its_cause(tmp_path: Path) -> None:
    files = {f"{number:03}": "broken 1\n" for number in range(64)}
    files["other"] = ""

    def appearing(texts: dict[str, str]) -> list[tuple[str, str]]:
        return [("other", "016 017")] if texts["017"].startswith("mended") else []

    checked = Checked(tmp_path, files, appearing)
    fixed = checked.fix()
    assert reasons(fixed) == [("017", 1, "it would bring in IMP001 at other:1")]
    assert checked.checks <= 5


def test_a_file_that_looks_guilty_is_acquitted(tmp_path: Path) -> None:
    def appearing(texts: dict[str, str]) -> list[tuple[str, str]]:
        return [("b", "")] if texts["a"].startswith("mended") else []

    fixed = Checked(tmp_path, {"a": "broken 1\n", "b": "broken 1\n", "c": "broken 1\n"}, appearing).fix()
    assert reasons(fixed) == [("a", 1, "it would bring in IMP001 at b:1")]
    assert {one.path for one in fixed.mended} == {"b", "c"}


def test_two_that_are_bad_only_together(tmp_path: Path) -> None:
    def appearing(texts: dict[str, str]) -> list[tuple[str, str]]:
        return [("other", "")] if texts["a"].startswith("mended") and texts["b"].startswith("mended") else []

    fixed = Checked(tmp_path, {"a": "broken 1\n", "b": "broken 1\n", "other": ""}, appearing).fix()
    assert len(fixed.refused) == len(fixed.mended) == 1
    assert {one.message for one in fixed.report.findings} == {"broken 1"}


def test_refused_and_idle_fixes_say_why(tmp_path: Path) -> None:
    checked = Checked(tmp_path, {"a": "broken never\nbroken 2\nbroken stays\nbroken 4\n", "b": "broken never\n"})
    fixed = checked.fix()
    assert reasons(fixed) == [
        ("a", 1, "it never works"),
        ("a", 3, "the finding would stay"),
        ("b", 1, "it never works"),
    ]
    assert [one.span.line for one in fixed.mended] == [2, 4]
    assert set(fixed.changes) == {"a"}
