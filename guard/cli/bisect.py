"""`guard bisect`."""

from __future__ import annotations

import gc
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing

import click
import msgspec

from guard import __version__
from guard.cache import Cache, open_default
from guard.cli.jsontext import json_text
from guard.cli.output import wants_color
from guard.cli.trace import CommitEntry, commit_entry
from guard.config import load, resolve_selection
from guard.engine import Options, check
from guard.history.bisect import Bisected, Origin, Search, Touched
from guard.history.commits import History, Unseen, head_of
from guard.model import CannotCheck, Finding, GuardError, Report
from guard.registry import all_rules
from guard.report.escape import encodable, visible, wrapped
from guard.report.jsondoc import FindingJson, finding_json
from guard.report.paint import Paint, painter
from guard.report.tally import counted
from guard.sources.commit import CommitTree
from guard.sources.locate import open_tree

_WIDTH = 100
_SHOWN = 6
_PREFIX = re.compile(r"[0-9a-f]{4,24}")


class BisectJson(msgspec.Struct, frozen=True, kw_only=True):
    """What `--output json` gives."""

    schema_version: int = 1
    guard: str
    origin: Origin
    commit: CommitEntry | None
    finding: FindingJson
    touched: tuple[Touched, ...]
    skipped: tuple[str, ...]
    notes: tuple[str, ...]
    looked_at: int


@click.command("bisect")
@click.argument("fingerprint")
@click.argument("path", required=False)
@click.option("--rev", metavar="REV", help="The revision that has the finding, in place of the work tree.")
@click.option("--select", metavar="CODES", multiple=True, help="Look for the finding among these rules only.")
@click.option(
    "--config", "overrides", metavar="FILE|KEY=VALUE", multiple=True, help="Another configuration, or one setting."
)
@click.option("--no-cache", is_flag=True, help="Neither read nor write the cache.")
@click.option("--jobs", type=click.IntRange(1), metavar="N", help="Processes; one per core unless given.")
@click.option("--output", "form", type=click.Choice(["text", "json"]), default="text", help="How to write it.")
def command(
    fingerprint: str,
    path: str | None,
    rev: str | None,
    select: tuple[str, ...],
    overrides: tuple[str, ...],
    no_cache: bool,
    jobs: int | None,
    form: str,
) -> int:
    """Find the commit that brought a finding in.

    FINGERPRINT is that of a finding, as `guard check --output json` shows it, or its beginning. Several files can have
    one finding each of the same fingerprint; PATH says which one is meant. Commits are checked one by one, from
    git's own objects: the checkout is not touched.

    Exit codes: 0 found, 2 usage or configuration, and no such finding; 3 not enough of the history could be seen;
    4 the environment failed.
    """
    if not _PREFIX.fullmatch(fingerprint):
        raise click.UsageError(f"{fingerprint}: not a fingerprint, nor four or more of its first hex digits")
    gc.disable()  # as in `guard check`: the collector would walk millions of objects that live to the end
    rules = all_rules()
    tree, _ = open_tree((), rev=rev)
    git = tree.git
    if git is None:
        raise GuardError("guard bisect needs a git repository, and there is none here")
    config = load(tree, "", overrides, rules=rules)
    codes = resolve_selection(config, [name for value in select for name in value.split(",")], [], None, rules)
    with closing(Cache(None) if no_cache else open_default()) as cache:
        options = Options(jobs=jobs or 0, cache=cache)
        finding = _chosen(check(tree, config, codes, options), fingerprint, path)
        head = tree.revision if isinstance(tree, CommitTree) else head_of(git)
        if not head:
            raise CannotCheck("there is no commit yet, so the finding is not in one")

        def on(oid: str) -> Report:
            return check(CommitTree(git, oid), config, frozenset({finding.code}), options)

        def sought(other: Finding) -> bool:
            same = (other.code, other.fingerprint) == (finding.code, finding.fingerprint)
            return same and (path is None or other.path == finding.path)

        try:
            found = Search(History(git, head), on, sought, _progress()).run(finding)
        except Unseen as unseen:
            raise CannotCheck(str(unseen)) from unseen
    if form == "json":
        click.echo(json_text(_document(found)), nl=False)
    else:
        click.echo("".join(f"{line}\n" for line in _page(found, painter(wants_color()))), nl=False)
    return 0


def _chosen(report: Report, prefix: str, path: str | None) -> Finding:
    """The finding that is meant. Raises GuardError for none, and for several fingerprints."""
    found = [one for one in report.findings if one.fingerprint.startswith(prefix) and path in (None, one.path)]
    if not found:
        where = f" in {path}" if path is not None else ""
        raise GuardError(
            f"no finding{where} has a fingerprint that begins with {prefix}; see guard check --output json"
        )
    several = dict.fromkeys(one.fingerprint for one in found)
    if len(several) > 1:
        listed = ", ".join(list(several)[:_SHOWN])
        raise GuardError(f"{counted(len(several), 'fingerprint')} begin with {prefix}: {listed}")
    return found[0]


def _progress() -> Callable[[str], None]:
    """Tells on a terminal which commit is looked at."""
    if not sys.stderr.isatty():
        return lambda _oid: None
    return lambda oid: click.echo(f"guard: looking at {oid[:12]}", err=True)


def _document(found: Bisected) -> BisectJson:
    commit = commit_entry(found.commit) if found.commit is not None else None
    return BisectJson(
        guard=__version__,
        origin=found.origin,
        commit=commit,
        finding=finding_json(found.finding),
        touched=tuple(Touched(encodable(one.path), one.line, one.how) for one in found.touched),
        skipped=found.skipped,
        notes=found.notes,
        looked_at=found.looked_at,
    )


_WHAT = {
    Origin.COMMIT: "It came in with {}:",
    Origin.MERGE: "It came in with the merge {}, whose parents do not have it:",
    Origin.ROOT: "It was always there: the first commit, {}, has it:",
    Origin.CUT: "It is older than what this shallow clone has: its oldest commit, {}, has it already:",
}


def _page(found: Bisected, paint: Paint) -> Iterator[str]:
    finding = found.finding
    place = f"{visible(finding.path)}:{finding.span.line}"
    yield f"{paint(finding.code, 'bold')} {finding.slug}  {paint(place, 'cyan')}"
    yield from wrapped(finding.message, _WIDTH, "  ", "  ")
    yield ""
    if found.commit is None:
        yield "It is not committed yet."
        return
    commit = found.commit
    yield _WHAT[found.origin].format(paint(commit.oid[:12], "bold"))
    yield from wrapped(commit.subject or "(no subject)", _WIDTH, "  ", "  ")
    dates = f"authored {commit.author_date}"
    if commit.commit_date != commit.author_date:
        dates += f", committed {commit.commit_date}"
    yield from wrapped(f"{commit.author}, {dates}", _WIDTH, "  ", "  ")
    yield from _touched(found.touched)
    for note in found.notes:
        yield from wrapped(note, _WIDTH, "note: ", "    ")
    if found.skipped:
        listed = ", ".join(oid[:12] for oid in found.skipped[:_SHOWN])
        text = f"could not be judged, and may be the one: {counted(len(found.skipped), 'commit')}: {listed}"
        yield from wrapped(text, _WIDTH, "note: ", "    ")
    yield f"({counted(found.looked_at, 'commit')} looked at)"


def _touched(touched: Sequence[Touched]) -> Iterator[str]:
    if touched:
        yield "  It changed:"
    for one in touched[:_SHOWN]:
        line = f":{one.line}" if one.line else ""
        yield f"    {visible(one.path)}{line}  {one.how}{', the finding' if one.line else ''}"
    if len(touched) > _SHOWN:
        yield f"    … and {counted(len(touched) - _SHOWN, 'more file')}"
