"""The oracle itself: what reaches ruff, and what becomes of its answer."""

from __future__ import annotations

import os
from importlib.metadata import version
from pathlib import Path

import pytest

from guard import syntax_oracle
from guard.model import EnvironmentFailed
from guard.syntax_oracle import UNREAD, diagnose, oracle_version


def _codes(content: bytes, target: tuple[int, int] = (3, 11)) -> list[str]:
    return [found.code for found in diagnose([content], target)[0]]


def test_answers_come_in_the_order_of_the_contents() -> None:
    contents = [b"name_%d\n" % number for number in range(25)]
    assert [found[0].message for found in diagnose(contents, (3, 11))] == [
        f"Undefined name `name_{number}`" for number in range(25)
    ]


def test_columns_count_characters() -> None:
    ((found,),) = diagnose(["é = 'ü'; nothing\n".encode()], (3, 11))
    assert (found.span.line, found.span.column, found.span.end_column) == (1, 10, 17)


def test_newer_syntax_says_since_when() -> None:
    ((found,),) = diagnose([b"type X = int\n"], (3, 11))
    assert found.added_in == (3, 12)
    assert found.message == "Cannot use `type` alias statement"
    assert _codes(b"type X = int\n", (3, 12)) == []


@pytest.mark.parametrize("encoding", ["latin-1", "cp1251", "utf-8", "utf-8-sig", "shift_jis"])
def test_every_declared_encoding_is_read(encoding: str) -> None:
    letter = "é" if encoding == "latin-1" else "д"
    text = f"# coding: %s\nname = '{letter}'\nnothing\n"
    assert _codes((text % encoding.removesuffix("-sig")).encode(encoding)) == ["F821"]


@pytest.mark.parametrize("content", [b"name = '\xff'\n", b"# coding: no-such-codec\n", b"# coding: rot13\nx\n"])
def test_what_cannot_be_decoded_has_no_diagnostics(content: bytes) -> None:
    assert _codes(content) == []


@pytest.mark.parametrize(
    "comment",
    [
        "# noqa",
        "# NOQA: F821",
        "# noqa:E501,F821",
        "# noqa: F",
        "# pylint: disable=undefined-variable",
        "# pylint:disable=E0602",
        "# type: ignore[name-defined]",
        "# pyright: ignore[reportUndefinedVariable]",
        "# ty: ignore[unresolved-reference]",
        "# ruff:ignore[undefined-name]",
        "# pytype: disable=name-error",
    ],
)
def test_a_line_may_say_that_its_undefined_name_is_meant(comment: str) -> None:
    assert _codes(f"nothing  {comment}\n".encode()) == []


@pytest.mark.parametrize(
    "comment", ["# noqa: E501", "# type: ignore[attr-defined]", "# noqa:F401", "# pylint: disable=E1101"]
)
def test_other_comments_say_nothing_of_it(comment: str) -> None:
    assert _codes(f"nothing  {comment}\n".encode()) == ["F821"]


@pytest.mark.parametrize(
    ("comment", "meant"),
    [
        ("# ruff: noqa: F821", True),
        ("# flake8: noqa: E501, F821", True),
        ("# pylint: disable=undefined-variable", True),
        ("# ruff: noqa: F401", False),
        ("# ruff: noqa", True),
        ("  # flake8: noqa", True),
        ("# flake8: noqa later", False),
        ("x = 1  # flake8: noqa", False),
        ("    # pylint: disable=E0602", False),
        ("x = '# ruff: noqa: F821'", False),
    ],
)
def test_a_file_may_say_that_its_undefined_names_are_meant(comment: str, meant: bool) -> None:
    assert _codes(f"import a\n{comment}\nnothing\n".encode()) == ([] if meant else ["F821"])


def test_noqa_hides_no_syntax_error() -> None:
    assert _codes(b"x = (  # noqa\n") == ["invalid-syntax"]


def test_a_file_that_overflows_the_oracle_costs_only_itself() -> None:
    deep = b"x = " + b"-" * 60_000 + b"1\n"
    found = diagnose([b"one\n", deep, b"two\n"], (3, 11))
    assert [[one.code for one in each] for each in found] == [["F821"], [UNREAD], ["F821"]]


def test_the_environment_does_not_reach_ruff(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setenv("RUFF_OUTPUT_FILE", f"{tmp_path}/taken")
    monkeypatch.setenv("RUFF_NO_CACHE", "nonsense")
    assert _codes(b"nothing\n") == ["F821"]


def test_without_ruff_it_is_the_environment_that_failed(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setattr(syntax_oracle, "executable", lambda: f"{tmp_path}/ruff")
    with pytest.raises(EnvironmentFailed, match=r"cannot run .*/ruff: No such file"):
        diagnose([b"x = 1\n"], (3, 11))


def test_a_full_or_missing_folder_for_temporary_files_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.setattr("tempfile.tempdir", f"{tmp_path}/missing")
    monkeypatch.setattr(syntax_oracle, "_IN_MEMORY", f"{tmp_path}/missing")
    with pytest.raises(EnvironmentFailed, match="TMPDIR"):
        diagnose([b"x = 1\n"], (3, 11))


@pytest.mark.skipif(not os.access("/proc", os.W_OK), reason="only on Linux, as root")
def test_memory_that_takes_no_file_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TMPDIR", raising=False)
    monkeypatch.setattr(syntax_oracle, "_IN_MEMORY", "/proc")
    assert _codes(b"nothing\n") == ["F821"]


def test_a_folder_that_the_user_has_chosen_is_the_only_one(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setenv("TMPDIR", f"{tmp_path}")
    monkeypatch.setattr(syntax_oracle, "_IN_MEMORY", f"{tmp_path}")
    monkeypatch.setattr("tempfile.tempdir", f"{tmp_path}/missing")
    with pytest.raises(EnvironmentFailed, match="TMPDIR"):
        diagnose([b"x = 1\n"], (3, 11))


def test_what_a_killed_run_has_left_in_memory_is_removed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("TMPDIR", raising=False)
    monkeypatch.setattr(syntax_oracle, "_IN_MEMORY", f"{tmp_path}")
    elsewhere = tmp_path / "elsewhere"
    for name in ("guard-oracle-old", "guard-oracle-new", "another-old", "elsewhere"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "m0.py").write_bytes(b"x = 1\n")
    (tmp_path / "guard-oracle-link").symlink_to(elsewhere)
    for name in ("guard-oracle-old", "another-old", "elsewhere"):
        os.utime(tmp_path / name, (1, 1))
    syntax_oracle._sweep.cache_clear()
    assert diagnose([b"x = 1\n"], (3, 11)) == [[]]
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"guard-oracle-new", "another-old", "elsewhere", "guard-oracle-link"}
    assert (elsewhere / "m0.py").exists()


def test_the_version_is_the_one_that_is_installed() -> None:
    assert oracle_version() == version("ruff")
