"""Where the configuration is found, what wins, and what every mistake is told as."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from config_support import RULES, MemoryTree

from guard.config import Config, ConfigError, Middleware, load
from guard.configuration import patterns


def loaded(contents: dict[str, str | bytes | None], start: str = "", *overrides: str) -> Config:
    return load(MemoryTree(contents), start, overrides, rules=RULES)


def errors_of(contents: dict[str, str | bytes | None], start: str = "", *overrides: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        loaded(contents, start, *overrides)
    assert caught.value.exit_code == 2
    assert str(caught.value) == "\n".join(caught.value.errors)
    return caught.value.errors


EVERYTHING = """
select = ["IMP", "EOL001", "missing-name"]
ignore = ["imp001"]
exclude = ["generated/", "!generated/keep.py"]
roots = ["services/api", "./lib/"]
entry-points = ["app.main:create_app()", "worker", "scripts/run.py"]
tests = ["checks/**"]
tooling = ["/bin/"]
target-python = "3.12"
max-file-size = "2 MiB"

[per-file-ignores]
"tests/**" = ["IMP"]

[severity]
IMP002 = "warning"
MID = "off"

[middleware]
order = ["SessionMiddleware", "Auth*"]
required = ["SessionMiddleware"]
"""


def test_no_configuration_is_the_default() -> None:
    config = loaded({"a.py": ""})
    assert config == Config()
    assert config.select == ("ALL",)
    assert config.sources == ()
    assert config.python_limit == 5_000_000
    assert config.target_version is None


def test_every_setting() -> None:
    assert loaded({"guard.toml": EVERYTHING}) == Config(
        select=("IMP", "EOL001", "missing-name"),
        ignore=("imp001",),
        exclude=("generated/", "!generated/keep.py"),
        roots=("services/api", "lib"),
        entry_points=("app.main:create_app()", "worker", "scripts/run.py"),
        tests=("checks/**",),
        tooling=("/bin/",),
        target_python="3.12",
        max_file_size="2 MiB",
        per_file_ignores={"tests/**": ("IMP",)},
        severity={"IMP002": "warning", "MID": "off"},
        middleware=Middleware(order=("SessionMiddleware", "Auth*"), required=("SessionMiddleware",)),
        sources=("guard.toml",),
    )


def test_pyproject_has_the_same_settings_below_tool_guard() -> None:
    pyproject = "[project]\nname = 'x'\n[tool.guard]\n" + EVERYTHING
    for table in ("per-file-ignores", "severity", "middleware"):
        pyproject = pyproject.replace(f"\n[{table}]", f"\n[tool.guard.{table}]")
    in_pyproject = loaded({"pyproject.toml": pyproject})
    in_file = loaded({"guard.toml": EVERYTHING})
    assert in_pyproject.sources == ("pyproject.toml",)
    assert in_pyproject.digest == in_file.digest


@pytest.mark.parametrize(
    ("size", "expected"),
    [("1", 1), ('"5MB"', 5_000_000), ('"1.5 KB"', 1500), ('"2KiB"', 2048), ('"7B"', 7), ('"1GiB"', 2**30)],
)
def test_sizes(size: str, expected: int) -> None:
    assert loaded({"guard.toml": f"max-file-size = {size}"}).python_limit == expected


# What wins


def test_the_closest_folder_wins_and_stands_alone() -> None:
    tree: dict[str, str | bytes | None] = {
        "guard.toml": "ignore = ['EOL']",
        "services/pyproject.toml": "[tool.guard]\nselect = ['IMP']",
        "services/api/pyproject.toml": "[project]\nname = 'guard-less'",
        "services/api/main.py": "",
    }
    config = loaded(tree, "services/api")
    assert (config.sources, config.select, config.ignore) == (("services/pyproject.toml",), ("IMP",), ())
    assert loaded(tree, "elsewhere/deep").sources == ("guard.toml",)


def test_guard_toml_wins_over_pyproject_in_one_folder() -> None:
    config = loaded({"guard.toml": "ignore = []", "pyproject.toml": "[tool.guard]\nselect = ['IMP']"})
    assert (config.sources, config.select) == (("guard.toml",), ("ALL",))


@pytest.mark.parametrize("nothing", ["", "\n", "# ignore = []\n"])
def test_a_file_that_sets_nothing_undoes_nothing(nothing: str) -> None:
    tree: dict[str, str | bytes | None] = {"guard.toml": "select = ['IMP']", "services/guard.toml": nothing}
    assert loaded(tree, "services").sources == ("guard.toml",)
    assert loaded({"guard.toml": nothing, "pyproject.toml": "[tool.guard]\nselect = ['IMP']"}).select == ("IMP",)


def test_a_broken_pyproject_that_is_not_about_guard_is_not_our_business() -> None:
    assert loaded({"pyproject.toml": "<<<<<<< HEAD\n[project"}) == Config()


def test_extend_lays_this_file_over_the_other() -> None:
    config = loaded(
        {
            "guard.toml": "ignore = ['EOL']\nselect = ['IMP']\n[severity]\nIMP001 = 'info'\nMID = 'off'\n"
            "[middleware]\norder = ['A']\nrequired = ['A']",
            "services/guard.toml": "extend = '../guard.toml'\nignore = []\n[severity]\nMID = 'error'\n"
            "[middleware]\norder = ['B']",
        },
        "services",
    )
    assert config.sources == ("services/guard.toml", "guard.toml")
    assert (config.select, config.ignore) == (("IMP",), ())
    assert config.severity == {"IMP001": "info", "MID": "error"}
    assert config.middleware == Middleware(order=("B",), required=("A",))


def test_each_file_is_relative_to_its_own_folder() -> None:
    config = loaded(
        {
            "base/guard.toml": "exclude = ['/made', '!keep.py']\nroots = ['src']\ntooling = ['a/b']",
            "svc/[x]/guard.toml": "extend = '../../base/guard.toml'\nentry-points = ['run.py', 'app']\n"
            "tests = ['t/', '!/t/x.py']\n[per-file-ignores]\n'*.py' = ['IMP']",
        },
        "svc/[x]",
    )
    assert config.exclude == ("/base/made", "!/base/**/keep.py")
    assert config.roots == ("base/src",)
    assert config.tooling == ("/base/a/b",)
    assert config.entry_points == ("svc/[x]/run.py", "app")
    assert config.tests == (r"/svc/\[x]/**/t/", r"!/svc/\[x]/t/x.py")
    assert config.per_file_ignores == {r"/svc/\[x]/**/*.py": ("IMP",)}


# The command line


def test_key_value_wins_over_files_and_the_last_over_the_first() -> None:
    config = loaded(
        {"guard.toml": "select = ['EOL']\n[severity]\nIMP001 = 'info'"},
        "",
        'select = ["IMP"]',
        "max-file-size=1MB",
        "max-file-size=2MB",
        "severity.IMP002=off",
        'per-file-ignores."ab/**"=["IMP"]',
        'middleware.order=["A", "B"]',
    )
    assert config.select == ("IMP",)
    assert config.max_file_size == "2MB"
    assert config.severity == {"IMP001": "info", "IMP002": "off"}
    assert config.per_file_ignores == {"ab/**": ("IMP",)}
    assert config.middleware.order == ("A", "B")
    assert config.sources == ("--config", "guard.toml")


@pytest.mark.parametrize("option", ["target-python=3.10", 'target-python="3.10"', "target-python = 3.10"])
def test_a_python_version_on_the_command_line_is_never_a_number(option: str) -> None:
    assert loaded({}, "", option).target_version == (3, 10)


def test_a_file_from_disk_stands_in_place_of_the_tree_s_own(tmp_path: Path) -> None:
    (tmp_path / "base.toml").write_text("ignore = ['EOL']")
    (tmp_path / "ci.toml").write_text("extend = 'base.toml'\nexclude = ['gen/']")
    config = loaded({"guard.toml": "select = ['MID']"}, "services", str(tmp_path / "ci.toml"), "tests=['t/']")
    assert (config.select, config.ignore) == (("ALL",), ("EOL",))
    assert config.exclude == ("gen/",), "relative to the tree, not to the start"
    assert config.tests == ("/services/**/t/",)
    assert config.sources == ("--config", str(tmp_path / "ci.toml"), str(tmp_path / "base.toml"))


def test_a_pyproject_from_disk(tmp_path: Path) -> None:
    path = tmp_path / "pyproject.toml"
    path.write_text("[tool.guard]\nselect = ['IMP']")
    assert loaded({}, "", str(path)).select == ("IMP",)
    path.write_text("[project]\nname = 'x'")
    assert errors_of({}, "", str(path)) == [f"{path}: has no [tool.guard] table"]


def test_errors_of_the_command_line(tmp_path: Path) -> None:
    assert errors_of({}, "", "selct=['IMP']", "max-file-size=big", "a b=1", "=1", str(tmp_path / "gone.toml")) == [
        '--config: "a b=1" is not KEY=VALUE',
        '--config: "=1" is not KEY=VALUE',
        f"{tmp_path}/gone.toml: no such file",
        '--config: selct: unknown key, did you mean "select"?',
        '--config: max-file-size: expected a number of bytes, or a size such as "5MB", found the string "big"',
    ]
    assert errors_of({}, "", str(tmp_path)) == [f"{tmp_path}: {os.strerror(21)}"]


# Mistakes


def test_all_mistakes_at_once() -> None:
    pyproject = """
[tool.guard]
selct = ["IMP"]
select = []
ignore = "IMP"
exclude = ["ok/", 3, "", "#x", "!"]
target-python = 3.11
max-file-size = true
roots = ["../outside", "/etc"]
entry-points = ["app main", "../x.py"]
"wat\\u001b[31m" = 1

[tool.guard.severity]
IMP002 = "errr"
IMP0002 = "error"
nonsense = "info"

[tool.guard.per-file-ignores]
"tests/**" = "IMP"
"!x" = ["missing-nam"]

[tool.guard.middleware]
ordr = []
required = [1]
"""
    expected = """
selct: unknown key, did you mean "select"?
select: expected at least one entry, found an empty list
ignore: expected a list, each a rule's code, family or slug, such as "IMP002" or "IMP", found the string "IMP"
exclude[1]: expected a gitignore-style pattern, such as "generated/", found the number 3
exclude[2]: expected a gitignore-style pattern, such as "generated/", found the string ""
exclude[3]: "#x" is a comment; write \\# for a name that begins with #
exclude[4]: "!" is not a gitignore-style pattern
target-python: expected a Python version, such as "3.11", found the number 3.11
max-file-size: expected a number of bytes, or a size such as "5MB", found true
roots[0]: "../outside" leads out of the repository
roots[1]: "/etc" leads out of the repository
entry-points[0]: expected a module, module:attr or file, found "app main"
entry-points[1]: "../x.py" leads out of the repository
"wat\\x1b[31m": unknown key
severity.IMP002: expected one of error, warning, info, off, found "errr", did you mean "error"?
severity: no rule is called "IMP0002", did you mean "IMP002"?
severity: no rule is called "nonsense"
per-file-ignores."tests/**": expected a list, each a rule's code, family or slug, such as "IMP002" or "IMP", \
found the string "IMP"
per-file-ignores: "!x" matches nothing: it only takes back what others match
per-file-ignores."!x"[0]: no rule is called "missing-nam", did you mean "missing-name"?
middleware.ordr: unknown key, did you mean "order"?
middleware.required[0]: expected a string that is not empty, found the number 1
"""
    wanted = [f"pyproject.toml: tool.guard.{line}" for line in expected.strip().split("\n")]
    assert errors_of({"pyproject.toml": pyproject}) == wanted


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ("select = [\n  'IMP',\n  IMP]\n", "guard.toml:3:3: not valid TOML: Invalid value"),
        ("select = ['IMP'\n", "guard.toml:1:16: not valid TOML: Unclosed array"),
        (b"# \xff\n", "guard.toml:1: not UTF-8, as TOML has to be"),
        (b"a = 1\n\xffb", "guard.toml:2: not UTF-8, as TOML has to be"),
        ("a = 1\na = 2", "guard.toml:2:6: not valid TOML: Cannot overwrite a value"),
        ("[tool.guard]\nselect = ['IMP']", "guard.toml: tool.guard: settings stand at the top level here, without"),
        (None, "guard.toml: permission denied"),
        ("a = " + "[" * 5000, "guard.toml: nested too deeply"),
        ("a = " + "9" * 5000, "guard.toml: not valid TOML: Exceeds the limit"),
        ("# " + "x" * 2**20, "guard.toml: larger than 1048576 bytes"),
    ],
)
def test_a_file_that_cannot_be_used(content: str | bytes | None, error: str) -> None:
    [said] = errors_of({"guard.toml": content})
    assert said.startswith(error)
    assert len(said) < 200


def test_a_byte_order_mark_is_no_mistake() -> None:
    assert loaded({"guard.toml": b"\xef\xbb\xbfselect = ['IMP']\r\n"}).select == ("IMP",)


@pytest.mark.parametrize("value", ["0x" + "f" * 6000, str(10**400), "1979-05-27", "inf", "{a=1}", "0", "-1"])
def test_a_strange_value_is_a_mistake_and_no_crash(value: str) -> None:
    [said] = errors_of({"guard.toml": f"max-file-size = {value}"})
    assert said.startswith("guard.toml: max-file-size: expected a number of bytes")


def test_what_has_to_be_a_table_or_a_list() -> None:
    assert errors_of({"pyproject.toml": "[tool]\nguard = 3"}) == [
        "pyproject.toml: tool.guard: expected a table, found the number 3"
    ]
    assert errors_of({"guard.toml": "middleware = 3\nseverity = []\nroots = {}"}) == [
        "guard.toml: middleware: expected a table, found the number 3",
        "guard.toml: severity: expected a table, found an empty list",
        'guard.toml: roots: expected a list, each a folder, such as "services/api", found a table',
    ]


# extend and links


def test_extend_never_leaves_the_tree_nor_goes_in_circles() -> None:
    def extending(target: str, **others: str) -> list[str]:
        return errors_of({"svc/guard.toml": f"extend = '{target}'", **others}, "svc")

    where = "svc/guard.toml: extend: "
    assert extending("../../guard.toml") == [f'{where}"../../guard.toml" leads out of the repository']
    assert extending("/etc/passwd") == [f'{where}"/etc/passwd" leads out of the repository']
    assert extending("gone.toml") == [f'{where}"gone.toml" is not there']
    assert extending("guard.toml") == [f"{where}svc/guard.toml extends svc/guard.toml, a circle"]
    assert extending("../a.toml", **{"a.toml": "extend = 'b.toml'", "b.toml": "extend = 'svc/guard.toml'"}) == [
        "b.toml: extend: svc/guard.toml extends a.toml extends b.toml extends svc/guard.toml, a circle"
    ]
    assert extending("../pyproject.toml", **{"pyproject.toml": "[project]\nname='x'"}) == [
        f'{where}"../pyproject.toml" has no [tool.guard] table'
    ]


def test_mistakes_of_the_extended_file_are_told_with_its_own_name() -> None:
    tree: dict[str, str | bytes | None] = {"guard.toml": "extend = 'b.toml'\nx = 1", "b.toml": "y = 1"}
    assert errors_of(tree) == ["b.toml: y: unknown key", "guard.toml: x: unknown key"]
    assert errors_of({"guard.toml": "extend = 3"}) == [
        'guard.toml: extend: expected a file, such as "../guard.toml", found the number 3'
    ]


def test_a_link_inside_the_tree_is_followed_and_one_out_of_it_is_an_error() -> None:
    shared = {"conf/shared.toml": "select = ['IMP']"}
    good = MemoryTree(shared, {"guard.toml": "conf/link.toml", "conf/link.toml": "shared.toml"})
    assert load(good, rules=RULES).select == ("IMP",)
    for target, said in (
        ("../../etc/passwd", "guard.toml: is a symbolic link that leads out of the repository"),
        ("/etc/passwd", "guard.toml: is a symbolic link that leads out of the repository"),
        ("guard.toml", "guard.toml: is a symbolic link that leads to itself"),
        ("gone.toml", "guard.toml: no such file"),
    ):
        with pytest.raises(ConfigError) as caught:
            load(MemoryTree({}, {"guard.toml": target}), rules=RULES)
        assert caught.value.errors == [said]


# The digest


def test_the_digest_follows_what_findings_depend_on() -> None:
    base = loaded({"guard.toml": "select = ['IMP']\n[severity]\nIMP001 = 'info'\nMID = 'off'"})
    same = loaded(
        {"base.toml": "select = ['IMP']", "guard.toml": "extend = 'base.toml'\n[severity]\nMID='off'\nIMP001='info'"}
    )
    assert base.digest == same.digest
    assert base.sources != same.sources
    digests = {loaded({"guard.toml": line}).digest for line in EVERYTHING.strip().split("\n\n")[0].split("\n")}
    assert len({*digests, base.digest, Config().digest}) == 11
    assert len(base.digest) == 16


def test_loading_imports_nothing_heavy_without_need() -> None:
    code = (
        "import sys, guard.config; from guard.configuration.settings import Config; "
        "print([m for m in ('pathspec', 'rapidfuzz', 'jsonschema', 'ruamel', 'libcst', 'rich') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("pattern", "good"),
    [("test_*_*_*.py", True), ("**/a/**/b/**/*.py", True), ("*a*a*a*a", False), ("**/a" * 4, False)],
)
def test_patterns_that_would_be_slow_are_refused(pattern: str, good: bool) -> None:
    assert (patterns.fault_of(pattern) is None) is good


def test_every_mistake_in_the_plan_of_the_loop_is_told_with_its_place() -> None:
    text = """
[loop]
goals = "all"
cycles = "many"
on_failure = "python repair.py"
[loop.deploy]
kind = "kubernets"
[[loop.phases]]
name = "one"
test = ["tests"]
[[loop.phases]]
name = ""
tests = ["tests"]
timeout_s = 0
"""
    kinds = "one of local, compose, cloud-run, kubernetes, command"
    assert [error.removeprefix("guard.toml: loop.") for error in errors_of({"guard.toml": text})] == [
        'goals: unknown key, did you mean "goal"?',
        'cycles: expected a whole number, found the string "many"',
        'on_failure: expected a list of texts, a program and its arguments, found the string "python repair.py"',
        f'deploy.kind: expected {kinds}, found "kubernets", did you mean "kubernetes"?',
        'phases[0].test: unknown key, did you mean "tests"?',
        "phases[0].tests: is missing",
        'phases[1].name: expected a string that is not empty, found the string ""',
        "phases[1].timeout_s: expected a number of seconds, more than 0 and at most a day, found the number 0",
    ]
