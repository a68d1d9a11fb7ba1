"""`guard config`."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing

import click
import msgspec

from guard import __version__
from guard.cache import open_default
from guard.cli.jsontext import json_text
from guard.config import Config, load, matcher
from guard.configuration.settings import Settings
from guard.detection import Area, Detected, FoundEntryPoint, FoundProject, SourceRoot, detect
from guard.engine import Options, collect
from guard.environment import Environments
from guard.facts import Gathering
from guard.program import Program
from guard.registry import all_rules
from guard.report.escape import encodable, visible
from guard.report.tally import counted
from guard.sources.locate import open_tree
from guard.target import target_python

_SHOWN = 12
"""Places listed of one kind in the text; JSON has all of them."""


class TreeEntry(msgspec.Struct, frozen=True, kw_only=True):
    """Which tree was looked at."""

    kind: str
    label: str
    files: int


class TargetEntry(msgspec.Struct, frozen=True, kw_only=True):
    """The deployed Python, and how it is known."""

    version: str
    source: str
    note: str
    others: tuple[str, ...]


class Described(msgspec.Struct, frozen=True, kw_only=True):
    """What `--output json` gives."""

    schema_version: int = 1
    guard: str
    tree: TreeEntry
    configuration: tuple[str, ...]
    """The files that settings came from, the one that wins first."""
    target_python: TargetEntry
    detected: Detected
    settings: Mapping[str, object]
    """Every setting as it holds, the defaults included, by its name in TOML."""


@click.command("config")
@click.argument("path", required=False, type=click.Path())
@click.option("--staged", is_flag=True, help="Look at what is staged (the git index), not the work tree.")
@click.option("--rev", metavar="REV", help="Look at a revision.")
@click.option(
    "--config", "overrides", metavar="FILE|KEY=VALUE", multiple=True, help="Another configuration, or one setting."
)
@click.option("--output", "form", type=click.Choice(["text", "json"]), default="text", help="How to write it.")
def command(path: str | None, staged: bool, rev: str | None, overrides: tuple[str, ...], form: str) -> int:
    """Show the configuration, and what was detected and why.

    Source roots, entry points, the deployed Python, requirements and where they are installed, test and tooling
    folders: what guard finds by itself, and what in the tree it knows it from. PATH is a folder of the repository; the
    closest configuration above it holds.
    """
    if staged and rev:
        raise click.UsageError("--staged and --rev exclude one another")
    gc.disable()  # as in `guard check`: the collector would walk millions of objects that live to the end
    tree, within = open_tree((path,) if path else (), staged=staged, rev=rev)
    start = within.prefixes[0] if within.prefixes else ""
    config = load(tree, start.rpartition("/")[0] if start in tree.files else start, overrides, rules=all_rules())
    target = target_python(tree, config)
    excluded = matcher(config.exclude)
    files = [file for name, file in tree.files.items() if not file.is_link and not excluded(name)]
    with closing(open_default()) as cache:
        gathering = Gathering(target.version, config.python_limit)
        facts, _ = collect(tree, files, gathering, Options(), cache)
        environments = Environments(tree, config, target.version, cache, gathering.salt)
        detected = detect(Program(tree, config, target, facts, environments))
    described = Described(
        guard=__version__,
        tree=TreeEntry(kind=tree.kind, label=encodable(tree.label), files=len(files)),
        configuration=config.sources,
        target_python=TargetEntry(version=str(target), source=target.source, note=target.note, others=target.others),
        detected=detected,
        settings=settings_of(config),
    )
    click.echo(json_text(described) if form == "json" else "\n".join(_page(described)) + "\n", nl=False)
    return 0


def settings_of(config: Config) -> dict[str, object]:
    """Every setting as it holds, by its name in TOML, in the order of the documentation."""
    names = [(field.name, field.encode_name) for field in msgspec.structs.fields(Settings) if field.name != "extend"]
    return {shown: msgspec.to_builtins(getattr(config, name)) for name, shown in names}


def _page(described: Described) -> Iterator[str]:
    """The description as lines of text."""
    detected, target = described.detected, described.target_python
    label = f" {visible(described.tree.label)}" if described.tree.label else ""
    yield f"{described.tree.kind}{label}: {counted(described.tree.files, 'file')}"
    yield ""
    yield f"Configuration: {', '.join(described.configuration) or 'none; the defaults hold'}"
    yield ""
    yield f"Deployed Python: {target.version}  {visible(target.source)}"
    yield from (f"  also {visible(other)}" for other in target.others)
    if target.note:
        yield f"  {target.note}"
    yield ""
    yield "Source roots, which imports are looked for in:"
    yield from _some(map(_root, detected.roots))
    yield ""
    yield f"Entry points, which deployed processes start from ({counted(detected.startup, 'Python file')} reached):"
    yield from _some(map(_entry_point, detected.entry_points)) if detected.entry_points else ["  none found"]
    yield ""
    if detected.dockerfiles:
        yield "Dockerfiles of what is deployed:"
        yield from _some(f"  {visible(path)}" for path in detected.dockerfiles)
        yield ""
    if detected.projects:
        yield "Projects, and what they ask to have installed:"
        yield from _some(map(_project, detected.projects))
        yield ""
    if detected.frameworks:
        listed = (f"{one.name} ({counted(one.files, 'file')})" for one in detected.frameworks)
        yield f"Frameworks: {', '.join(listed)}"
        yield ""
    yield f"Production: {counted(detected.production, 'Python file')}"
    yield from _area("Tests", detected.tests)
    yield from _area("Tooling", detected.tooling)
    yield ""
    yield "Settings:"
    defaults = settings_of(Config())
    for name, value in described.settings.items():
        if name == "loop":
            continue  # a page of its own: `guard loop plan`
        mark = "  (default)" if value == defaults[name] else ""
        yield f"  {name} = {visible(json.dumps(value, ensure_ascii=False))}{mark}"


def _root(root: SourceRoot) -> str:
    used = f", {counted(root.imports, 'import')}" if root.imports else ""
    return f"  {visible(root.path) or '.'}/  {visible(root.why)}{used}"


def _entry_point(entry: FoundEntryPoint) -> str:
    place = f"{visible(entry.path)}:{entry.line}" if entry.path else "configured in entry-points"
    leads = f" -> {', '.join(map(visible, entry.leads_to))}" if entry.leads_to else ""
    return f"  {visible(entry.module or entry.script)}  {place}{leads}"


def _project(project: FoundProject) -> str:
    asked = counted(project.distributions, "distribution")
    more = "" if project.whole else ", and more than can be read"
    where = f", installed in {visible(project.environment)}" if project.environment else ""
    files = f"  {', '.join(map(visible, project.files))}" if project.files else ""
    return f"  {visible(project.path) or '.'}/  {asked}{more}{where}{files}"


def _area(title: str, area: Area) -> Iterator[str]:
    yield f"{title}: {counted(area.files, 'Python file')}{', in' if area.places else ''}"
    yield from _some(f"  {visible(place)}" for place in area.places)


def _some(lines: Iterable[str]) -> Iterator[str]:
    """The first lines, and how many more there are."""
    listed = list(lines)
    yield from listed[:_SHOWN]
    if len(listed) > _SHOWN:
        yield f"  … and {len(listed) - _SHOWN:,} more (--output json)"
