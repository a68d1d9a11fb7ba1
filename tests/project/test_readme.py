"""What the README and the hand-written pages claim: commands parse, options, rules, settings and codes exist."""

from __future__ import annotations

import pkgutil
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec
import pytest

from guard import model
from guard.checks.line_counts import MOST_LINES
from guard.cli.main import cli
from guard.config import RuleNames
from guard.configuration.convert import Conversion
from guard.configuration.settings import Scoring, Settings
from guard.registry import all_rules
from guard.report import FORMATS
from guard.report.standing import FORMATS as REPORT_FORMATS
from guard.report.standing.markdown import MARKER
from guard.scoring import model as scoring
from guard.target import NEWEST, OLDEST

ROOT = Path(__file__).parents[2]
PAGES = ("README.md", "docs/ci.md", "docs/report.md", "docs/architecture.md", "docs/configuration.md", "docs/cli.md")


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page: str) -> Iterator[tuple[str, str]]:
    """Language and content of each fenced block."""
    yield from re.findall(r"^```(\w*)[^\n]*\n(.*?)^```$", text_of(page), re.MULTILINE | re.DOTALL)


def commands(page: str) -> list[str]:
    """Every `guard …` in a code span or at the start of a command in a block, those of the generated output apart."""
    text = text_of(page)
    spans = re.findall(r"`(guard(?: [^`\n]+)?)`", text)
    in_blocks = [
        found
        for language, content in blocks(page)
        if language in ("sh", "yaml", "dockerfile")
        for found in re.findall(r"(?:^|exec |&& |run: |script: )(guard .+)$", content, re.MULTILINE)
    ]
    return [command for command in (*spans, *in_blocks) if "[" not in command and command.split("#")[0].strip()]


def all_commands() -> list[tuple[str, str]]:
    return [(page, command) for page in PAGES for command in commands(page)]


def test_commands_are_found() -> None:
    assert ("README.md", "guard check --fix") in all_commands()
    assert ("README.md", "guard check --output github --output sarif:guard.sarif") in all_commands()
    assert (
        "docs/ci.md",
        "guard check --output text --output gitlab:gl-code-quality.json --output junit:guard.xml",
    ) in (all_commands())


@pytest.mark.parametrize(("page", "command"), all_commands())
def test_command_parses(page: str, command: str) -> None:
    _, *arguments = shlex.split(command, comments=True)
    if not arguments:
        return
    name, *rest = arguments
    if name in ("--version", "--help"):
        return
    found = cli.get_command(click.Context(cli), name)
    assert found is not None, f"{page}: {command}"
    if "--help" in rest:
        return
    # click keeps the help option of its first context with the command, so that has to be as in a real run.
    parent = click.Context(cli, **cli.context_settings)
    with found.make_context(name, [word for word in rest if word != "…"], parent=parent) as context:
        outputs = context.params.get("output") or ()
        formats = REPORT_FORMATS if name == "report" else FORMATS
        assert {value.partition(":")[0] for value in outputs} <= set(formats)


def test_options_in_code_spans_exist() -> None:
    known = {"--help", "--version", "--check"}
    for name in cli.list_commands(click.Context(cli)):
        found = cli.get_command(click.Context(cli), name)
        assert found is not None
        known |= {option for parameter in found.params for option in parameter.opts}
    for page in ("README.md", "docs/ci.md", "docs/report.md"):
        assert set(re.findall(r"`(--[\w-]+)", text_of(page))) <= known


@pytest.mark.parametrize("page", PAGES)
def test_rule_codes_exist(page: str) -> None:
    mentioned = set(re.findall(r"\b(?:EOL|TXT|SYN|IMP|MID|DCF|SUP)\d{3}\b", text_of(page)))
    assert mentioned <= set(all_rules())


def test_names_given_to_select_and_ignore_are_rules() -> None:
    names = RuleNames(all_rules())
    for _, command in all_commands():
        for value in re.findall(r"--(?:select|ignore) (\S+)", command):
            assert all(names.find(name) for name in value.split(",") if name != "CODES"), command


@pytest.mark.parametrize("page", ["README.md", "docs/configuration.md", "docs/report.md"])
def test_configuration_examples_load(page: str) -> None:
    examples = [tomllib.loads(content) for language, content in blocks(page) if language == "toml"]
    assert examples
    for example in examples:
        errors: list[str] = []
        Conversion(page, "", RuleNames(all_rules()), errors).table(example["tool"]["guard"], Settings, "")
        assert errors == []


@pytest.mark.parametrize("page", ["README.md", "docs/ci.md"])
def test_exit_codes_are_those_of_the_code(page: str) -> None:
    rows = dict(re.findall(r"^\| (\d+) \| ([^|]+) \|$", text_of(page), re.MULTILINE))
    assert set(rows) == {"0", "1", "2", "3", "4", "70", "130", "141"}
    assert model.GuardError.exit_code == 2
    assert model.CannotCheck.exit_code == 3
    assert model.EnvironmentFailed.exit_code == 4
    assert "could not be checked" in rows["3"]
    assert "environment" in rows["4"]


def test_versions_of_python_are_those_of_the_code() -> None:
    oldest, newest = ("%d.%d" % version for version in (OLDEST, NEWEST))
    assert f"checks code for Python {oldest} to {newest}" in text_of("README.md")
    project = tomllib.loads(text_of("pyproject.toml"))["project"]
    minors = [entry.rpartition(" ")[2] for entry in project["classifiers"] if entry.startswith("Programming Language")]
    assert f"runs on Python {minors[0]} to {minors[-1]}" in text_of("README.md")
    assert project["requires-python"] == f">={minors[0]}"


def test_every_output_format_is_listed() -> None:
    table = text_of("README.md").partition("### Output")[2].partition("### Exit codes")[0]
    listed = [name for row in re.findall(r"^\| (`.+?) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)]
    assert sorted(listed) == sorted(FORMATS)


@pytest.mark.parametrize(
    "page", [page.relative_to(ROOT).as_posix() for page in (ROOT / "docs").glob("*.md")] + ["README.md"]
)
def test_links_lead_somewhere(page: str) -> None:
    for link in re.findall(r"\]\(([^)#]+)\)", text_of(page)):
        if not link.startswith("https://"):
            assert (ROOT / page).parent.joinpath(link).exists(), link


def test_paths_that_the_architecture_names_exist() -> None:
    for path in re.findall(r"`((?:guard|tests|docs|tools)/[\w./]*)`", text_of("docs/architecture.md")):
        assert (ROOT / path).exists(), path
    for name in re.findall(r"`(guard(?:\.\w+)+)", text_of("docs/architecture.md")):
        pkgutil.resolve_name(name)


def test_goals_of_make_exist() -> None:
    goals = set(re.findall(r"^([a-z]+):", text_of("Makefile"), re.MULTILINE))
    for page in PAGES:
        assert set(re.findall(r"`make (\w+)", text_of(page))) <= goals
    assert {"demo", "test", "check", "bench"} <= goals


def test_generated_pages_are_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tools.docs", "--check"], cwd=ROOT, check=False, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_report_is_described_as_it_is_made() -> None:
    page = text_of("docs/report.md")
    weights = {
        row[0]: int(row[1]) for row in re.findall(r"^\| ([a-z ]+) \|[^|]+\|[^|]+\| (\d+) \|$", page, re.MULTILINE)
    }
    assert weights == {category.label: weight for category, weight in scoring.WEIGHTS.items()}
    grades = {row[0]: int(row[1]) for row in re.findall(r"^\| ([A-E]) \| (\d+) \|$", page, re.MULTILINE)}
    assert grades == scoring.GRADES
    assert f"takes {scoring.FINDING_LINES} lines" in page
    assert f"takes {scoring.IMAGE_LINES} lines of" in page
    assert f"no more than {MOST_LINES:,} lines" in page
    assert f"the grade is {scoring.CAPPED} at the best" in page
    assert MARKER in page
    described = str(next(field for field in msgspec.structs.fields(Scoring) if field.name == "weights").type)
    assert all(f"{category} {weight}" in described for category, weight in scoring.WEIGHTS.items())
    codes = set(re.findall(r"^\| (\d) \| [^|]+ \|$", page, re.MULTILINE))
    assert codes == {"0", "1", "2", "3", "4"}
