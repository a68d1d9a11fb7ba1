"""Writes the documentation that comes from the code: `python -m tools.docs`; with `--check` it only compares.

`docs/rules/` from the docstrings of the rules, `docs/configuration.md` from the types of the settings, `docs/cli.md`
from the commands, and in `README.md` what stands between `<!-- generated: … -->` and `<!-- end -->`.
"""

from __future__ import annotations

import inspect
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, get_args, get_origin

import click
import msgspec

from examples.shop import write_repository
from guard.cli.main import cli
from guard.cli.rule import gates_text, rule_document
from guard.cli.show_middleware import MiddlewareChanges, MiddlewareDocument
from guard.configuration.convert import expectation, is_struct
from guard.configuration.settings import Settings
from guard.registry import Rule, all_rules

ROOT: Final = Path(__file__).resolve().parent.parent
RULE_PAGES: Final = "docs/rules"
_GENERATED: Final = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
_NOTICE: Final = "<!-- Made by `make docs`; edit {source} instead. -->\n\n"
_README_FINDINGS: Final = "IMP002,MID001"
"""What the README shows of the demo's findings. Their texts are guard's own: those of SYN come from its parser."""
_README_FILES: Final = ("shop/main.py", "shop/setup.py")


def main() -> int:
    """Write the pages, or compare them. Gives the exit code."""
    wanted = pages()
    stale = [path for path, text in wanted.items() if _read(path) != text]
    orphans = sorted(set(_rule_pages()) - wanted.keys())
    if sys.argv[1:] == ["--check"]:
        for path in (*stale, *orphans):
            print(f"{path} is not what the code says; run `make docs`", file=sys.stderr)
        return int(bool(stale or orphans))
    for path in stale:
        (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / path).write_text(wanted[path], encoding="utf-8")
    for path in orphans:
        (ROOT / path).unlink()
    return 0


def pages() -> dict[str, str]:
    """Every generated page, and every page with generated parts, by its path in the repository."""
    rules = all_rules()
    made = {f"{RULE_PAGES}/{code}.md": _rule_page(rule) for code, rule in rules.items()}
    made[f"{RULE_PAGES}/README.md"] = (
        _NOTICE.format(source="the docstrings in guard/rules")
        + "# The rules\n\n"
        + "`guard rule CODE` shows the same pages.\n\n"
        + _rule_table(rules, "")
    )
    made["docs/configuration.md"] = _configuration_page()
    made["docs/cli.md"] = _cli_page()
    made["guard/schemas/middleware.schema.json"] = _middleware_schema()
    made["README.md"] = _with_generated(
        _read("README.md"),
        {"rules": _rule_table(rules, f"{RULE_PAGES}/"), "findings": _findings(), "report": _report()},
    )
    return made


def _middleware_schema() -> str:
    """The schema of what `guard show middleware --output json` writes, from the types of what is shown."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:deploy-guard:schema:middleware:1",
        "title": "guard show middleware, version 1",
        "description": "What `guard show middleware --output json` writes; with `--since`, what changed.",
        **msgspec.json.schema(MiddlewareDocument | MiddlewareChanges),
    }
    return json.dumps(schema, indent=2) + "\n"


def _read(path: str) -> str:
    file = ROOT / path
    return file.read_text(encoding="utf-8") if file.exists() else ""


def _rule_pages() -> Iterator[str]:
    for file in (ROOT / RULE_PAGES).glob("*.md"):
        yield file.relative_to(ROOT).as_posix()


def _with_generated(text: str, parts: Mapping[str, str]) -> str:
    return _GENERATED.sub(lambda match: f"{match[1]}\n{parts[match[2]]}\n{match[3]}", text)


# Rules


def _rule_page(rule: Rule) -> str:
    source = f"the docstring in {rule.check.__module__.replace('.', '/')}.py"
    return _NOTICE.format(source=source) + rule_document(rule)


def _rule_table(rules: Mapping[str, Rule], folder: str) -> str:
    lines = ["| code | name | what it finds | severity | gates | fix |", "|---|---|---|---|---|---|"]
    for code, rule in rules.items():
        cells = (f"[{code}]({folder}{code}.md)", rule.slug, rule.summary, rule.severity, gates_text(rule), rule.fixable)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


# Configuration


_CONFIGURATION: Final = """\
# Configuration

Settings stand under `[tool.guard]` in pyproject.toml, or at the top level of guard.toml. The closest file above the
paths that are checked holds, if it sets anything; of two in one folder, guard.toml does. Without any, guard finds out
by itself what it needs; `guard config` shows what that is, and why.

```toml
[tool.guard]
target-python = "3.11"
entry-points = ["billing.worker:main"]
exclude = ["third_party/"]

[tool.guard.per-file-ignores]
"migrations/**" = ["IMP014"]

[tool.guard.severity]
EOL005 = "error"

[tool.guard.middleware]
order = ["CORSMiddleware", "SessionMiddleware", "app.auth.*"]
```

Patterns are those of `.gitignore`; they, and paths, are relative to the folder of their file. Every mistake is told at
once, with its place and what may have been meant, and ends the run with exit code 2. One setting can be given on the
command line: `guard check --config target-python=3.12`.

An editor that knows JSON Schema finds it in `guard/schemas/config.schema.json`, in the repository and in the installed
package.
"""


def _configuration_page() -> str:
    notice = _NOTICE.format(source="the descriptions in guard/configuration/settings.py, or tools/docs.py")
    return notice + _CONFIGURATION + "".join(_settings(Settings, ""))


def _settings(struct: type[msgspec.Struct], prefix: str) -> Iterator[str]:
    """A section for each setting, those of nested tables included."""
    for field in msgspec.structs.fields(struct):
        name = prefix + field.encode_name
        bare, *metas = get_args(field.type)
        if is_struct(bare):
            yield from _settings(bare, f"{name}.")
            continue
        if get_origin(bare) is tuple and is_struct(get_args(bare)[0]):
            yield from _settings(get_args(bare)[0], f"{name}[].")
            continue
        description = next(meta.description for meta in metas if meta.description)
        default = (
            f" Default: `{json.dumps(field.default)}`." if field.default not in ("", (), msgspec.NODEFAULT) else ""
        )
        yield f"\n## `{name}`\n\n{description}\n\nTakes {_type_text(field.type)}.{default}\n"


def _type_text(kind: Any) -> str:
    """In words, what a setting takes."""
    bare = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    arguments = get_args(bare)
    if get_origin(bare) is tuple:
        return f"a list, each entry {_type_text(arguments[0])}"
    if get_origin(bare) is Mapping:
        return f"a table, each key {_type_text(arguments[0])}, each value {_type_text(arguments[1])}"
    return expectation(kind)


# Commands


def _cli_page() -> str:
    lines = [_NOTICE.format(source="the commands in guard/cli") + "# The command line", ""]
    return "\n".join([*lines, *_command_sections("guard", cli)])


def _command_sections(title: str, command: click.Command) -> list[str]:
    """The section of a command, and of all below it."""
    lines = _command_section(title, command)
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=title)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            if below is not None:
                lines += _command_sections(f"{title} {name}", below)
    return lines


def _command_section(title: str, command: click.Command) -> list[str]:
    """What `--help` says, in Markdown; not its text, whose layout is click's and changes with it."""
    words = []
    rows = []
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            takes = "" if parameter.is_flag else f" {_metavar(parameter)}"
            shown = f"{', '.join(parameter.opts)}{takes}".replace("|", "\\|")
            rows.append(f"| `{shown}` | {parameter.help} |")
        else:
            name = (parameter.name or "").upper()
            words.append(parameter.metavar or (name if parameter.required else f"[{name}]"))
    if isinstance(command, click.Group) and title != "guard":
        words.append("COMMAND")
    usage = " ".join([title, "[OPTIONS]", *words])
    lines = [f"## {title}", "", f"`{usage}`", "", inspect.cleandoc(command.help or ""), ""]
    return [*lines, "| option | |", "|---|---|", *rows, ""] if rows else lines


def _metavar(option: click.Option) -> str:
    if option.metavar is None and isinstance(option.type, click.Choice):
        return "|".join(option.type.choices)
    return option.metavar or option.type.name.upper()


# What the README shows of the demo's repository


def _findings() -> str:
    """Findings on the demo's repository, as the text output has them, without the summary."""
    printed = _on_the_demo("check", "--select", _README_FINDINGS, *_README_FILES)
    findings, summary, _ = printed.partition("\n  errors/warnings")
    if not summary:
        raise RuntimeError(f"the demo's repository gives no findings: {printed}")
    return f"```text\n$ guard check\n{findings.rstrip()}\n```\n"


def _report() -> str:
    """The beginning of the report on the demo's repository, as far as its texts are guard's own."""
    head, found, _ = _on_the_demo("report").partition("\n  not in the score")
    if not found:
        raise RuntimeError(f"the demo's repository gives no report: {head}")
    return f"```text\n$ guard report\n{head.rstrip()}\n```\n"


def _on_the_demo(*arguments: str) -> str:
    """What guard prints on the demo's repository."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, "shop")
        folder.mkdir()
        write_repository(folder)
        environment = {**os.environ, "NO_COLOR": "1", "GUARD_CACHE_DIR": scratch}
        done = subprocess.run(
            [sys.executable, "-m", "guard", *arguments],
            cwd=folder,
            env=environment,
            check=False,
            capture_output=True,
            text=True,
            encoding="utf-8",
        )
    if not done.stdout:
        raise RuntimeError(f"guard says nothing of the demo's repository: {done.stderr}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
