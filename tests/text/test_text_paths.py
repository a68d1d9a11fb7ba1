"""Paths that do not travel, and names that are paths."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guard.attributes import Attributes
from guard.checks.text_paths import Surroundings, mangled, unportable
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


_PARTS = st.sampled_from(
    [
        *(
            "app",
            "App",
            "APP",
            "core",
            "services",
            "tests",
            "unit",
            "a.py",
            "A.py",
            "aux.md",
            "con",
            "x.",
            "é",
            "e\u0301",
        ),
        *("appservicescoretests", "appservicescoretests_unit.py", "servicescoretestsunit", "Usersjoeappservicescore"),
        *(
            "homeappservicescore",
            "homeappservicescoretests.py",
            "a\\b",
            "C:x",
            "x\uf03ay",
            "nul.txt",
            "o" * 130,
            "a\nApp",
        ),
    ]
)
_PATHS = st.lists(st.lists(_PARTS, min_size=1, max_size=6).map("/".join), max_size=12, unique=True).map(
    lambda paths: sorted(path for path in paths if not any(other.startswith(f"{path}/") for other in paths))
)


def _told(paths: list[str]) -> tuple[set[tuple[str, ...]], set[tuple[str, ...]]]:
    """What a finding of either rule is told apart from others by."""
    lost = mangled(paths)
    wrong = unportable(paths, lost)
    return {(one.path, one.part, one.kind) for one in lost}, {(one.path, one.part, one.kind) for one in wrong}


@given(_PATHS, st.data())
@settings(max_examples=600, deadline=None)
def test_surroundings_miss_nothing(paths: list[str], data: st.DataObject) -> None:
    """What is not said to be concerned is the same with and without some paths."""
    others = data.draw(st.lists(st.sampled_from(paths), unique=True)) if paths else []
    without = [path for path in paths if path not in others]
    came, stayed = data.draw(st.sampled_from([(paths, without), (without, paths)]))
    around = Surroundings(came, others)
    lost, wrong = zip(_told(came), _told(stayed), strict=True)
    assert lost[0] == lost[1] or around.may_be_mangled()
    assert wrong[0] == wrong[1] or around.may_be_unportable()


def test_surroundings_are_quiet_about_plain_paths() -> None:
    paths = [f"app/services/core/{folder}/test_{name}_answers.py" for folder in "abc" for name in ("one", "two")]
    around = Surroundings(paths, [paths[1], "app/services/core/tests/test_three_is_gone.py", "CHANGES_of_this_time.md"])
    assert not around.may_be_mangled()
    assert not around.may_be_unportable()
