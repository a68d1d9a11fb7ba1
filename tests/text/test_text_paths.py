"""Paths that do not travel, and names that are paths."""

from __future__ import annotations

import pytest

from guard.attributes import Attributes
from guard.checks.text_paths import mangled, unportable
from guard.checks.text_types import path_pattern


def faults(*paths: str) -> list[tuple[str, str]]:
    found = mangled(sorted(paths))
    return [(fault.path, fault.kind) for fault in (*found, *unportable(sorted(paths), found))]


@pytest.mark.parametrize(
    "name", ["CON", "con.txt", "Aux.tar.gz", "LPT9", "COM¹.log", "nul .txt", "a<b", 'a"b', "a\x01b", "a.", "a "]
)
def test_windows_refuses(name: str) -> None:
    assert faults(f"d/{name}") == [(f"d/{name}", "name")]


@pytest.mark.parametrize(
    "name", ["CONSOLE", "COM0", "COM10", "aux_", ".aux", "a.b.c", "a b", "é", "..a", "~a", "a;b", "[x]"]
)
def test_windows_accepts(name: str) -> None:
    assert faults(f"d/{name}") == []


def test_a_folder_is_told_once() -> None:
    (fault,) = unportable(["a:/x", "a:/y/z"], [])
    assert (fault.path, fault.part, fault.files) == ("a:/x", "a:", 2)


def test_folders_that_differ_in_case_are_told_at_the_top() -> None:
    assert faults("Pkg/sub/a.py", "pkg/sub/b.py") == [("pkg/sub/b.py", "folders")]
    assert faults("Pkg/sub/a.py", "pkg/sub/A.py") == [("pkg/sub/A.py", "collision"), ("pkg/sub/A.py", "folders")]


def test_a_mangled_name_is_told_once() -> None:
    assert faults("C:\\Users\\anna\\a.py") == [("C:\\Users\\anna\\a.py", "backslash")]


def test_coincidences_are_not_told() -> None:
    assert faults("web/socket/core/a.py", "websocketcore.py", "web_socket_core_a.py") == []
    assert faults("backend/services/model/a.py", "backendservicesmodelb.py")


@pytest.mark.parametrize("path", ["bin/do it", "a*b", "x[1]", 'q"uote', "back\\slash", "#hash", "é", "!bang"])
def test_a_path_s_own_pattern_matches_it_alone(path: str) -> None:
    attributes = Attributes({".gitattributes": f"{path_pattern(path)} text eol=lf\n".encode()})
    assert attributes.ignored == []
    assert attributes.of(path)["eol"].value == "lf"
    assert "eol" not in attributes.of(f"sub/{path}")
    assert "eol" not in attributes.of(path + "x")
