"""`guard trace`."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import closing

import click
import msgspec

from guard import __version__
from guard.cache import Cache, open_default
from guard.cli.jsontext import json_text
from guard.cli.output import wants_color
from guard.config import Config, load
from guard.engine import Options, look
from guard.facts import Gathering
from guard.history.answer import Answer, Removed, Verdict
from guard.history.commits import Commit
from guard.history.question import Question, Trace, is_askable, key_of, question_of, trace
from guard.model import GuardError
from guard.registry import all_rules
from guard.report.escape import encodable, visible, wrapped
from guard.report.paint import Paint, painter
from guard.report.tally import counted
from guard.sources.locate import open_tree
from guard.sources.tree import Tree
from guard.target import target_python
from guard.where import Certainty, Place, Replacement, Role

_IMPORT_CODES = frozenset({"IMP001", "IMP002"})
_WIDTH = 100
_SHOWN = 12
"""Places listed in the text; JSON has all of them."""
_BEST = 4
_STYLE = {Certainty.CERTAIN: "bold green", Certainty.LIKELY: "bold cyan", Certainty.POSSIBLE: "dim"}


class TreeEntry(msgspec.Struct, frozen=True, kw_only=True):
    """Which tree was looked at."""

    kind: str
    label: str


class CommitEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One commit."""

    hash: str
    author: str
    author_date: str
    commit_date: str
    subject: str


class RemovedEntry(msgspec.Struct, frozen=True, kw_only=True):
    """The change that took it away; `commit` is null where that is not committed yet."""

    commit: CommitEntry | None
    path: str
    line: int
    kind: str
    how: str


class AnswerEntry(msgspec.Struct, frozen=True, kw_only=True):
    """What has become of one name of one module."""

    module: str
    name: str
    verdict: Verdict
    places: tuple[Place, ...]
    removed: RemovedEntry | None
    replacements: tuple[Replacement, ...]
    unseen: tuple[str, ...]


class TraceJson(msgspec.Struct, frozen=True, kw_only=True):
    """What `--output json` gives."""

    schema_version: int = 1
    guard: str
    tree: TreeEntry
    asked: str
    answers: tuple[AnswerEntry, ...]
    places: tuple[Place, ...]
    exit_code: int


@click.command("trace")
@click.argument("what", metavar="NAME|MODULE|MODULE:NAME")
@click.option("--rev", metavar="REV", help="Ask of a revision; works in a bare repository too.")
@click.option(
    "--config", "overrides", metavar="FILE|KEY=VALUE", multiple=True, help="Another configuration, or one setting."
)
@click.option("--no-cache", is_flag=True, help="Neither read nor write the cache.")
@click.option("--output", "form", type=click.Choice(["text", "json"]), default="text", help="How to write it.")
def command(what: str, rev: str | None, overrides: tuple[str, ...], no_cache: bool, form: str) -> int:
    """Tell where a name or a module went.

    Shows every place of today's tree that has the name, the commit that took it away from where it is asked for, and
    what took its place, with how sure that is: `certain`, `likely` or `possible`, and why. MODULE is dotted, or a path.

    Exit codes: 0 it is there, or something has taken its place; 1 it is gone and nothing has, or it was never there;
    3 not enough of the history could be seen to tell; 2 usage or configuration; 4 the environment failed.
    """
    gc.disable()  # as in `guard check`: the collector would walk millions of objects that live to the end
    tree, _ = open_tree((), rev=rev)
    question = question_of(what, tree)
    if not is_askable(question):
        raise GuardError(f"{what}: not a name, a dotted module, a path of a module, or MODULE:NAME")
    config = load(tree, "", overrides, rules=all_rules())
    with closing(Cache(None) if no_cache else open_default()) as cache:
        found = _answered(tree, config, question, cache)
    code = exit_code(found)
    if form == "json":
        click.echo(json_text(_document(tree, what, found, code)), nl=False)
    else:
        click.echo("".join(f"{line}\n" for line in _page(what, found, painter(wants_color()))), nl=False)
    return code


def exit_code(found: Trace) -> int:
    """0 where something is there or has taken its place, 3 where that cannot be told, else 1."""
    verdicts = {answer.verdict for answer in found.answers}
    if verdicts & {Verdict.THERE, Verdict.MOVED} or (found.places and not found.answers):
        return 0
    return 3 if Verdict.UNKNOWN in verdicts else 1


def _answered(tree: Tree, config: Config, question: Question, cache: Cache) -> Trace:
    """The answer: from the cache where it holds it, for the same tree and commit."""
    salt = Gathering(target_python(tree, config).version, config.python_limit).salt + config.digest
    key = key_of(tree, question, salt)
    known = cache.get(key)
    if known is not None:
        try:
            return _TRACES.decode(known)
        except msgspec.DecodeError:
            cache.distrust()
    found = trace(look(tree, config, _IMPORT_CODES, Options(cache=cache)), question, cache)
    if not any(answer.unseen for answer in found.answers):
        try:
            cache.put_many([(key, msgspec.msgpack.encode(found))])
        except UnicodeEncodeError:
            return found  # a path that is not UTF-8 cannot be stored
    return found


_TRACES: msgspec.msgpack.Decoder[Trace] = msgspec.msgpack.Decoder(Trace)


# JSON


def _document(tree: Tree, what: str, found: Trace, code: int) -> TraceJson:
    document = TraceJson(
        guard=__version__,
        tree=TreeEntry(kind=tree.kind, label=tree.label),
        asked=what,
        answers=tuple(map(_entry, found.answers)),
        places=found.places,
        exit_code=code,
    )
    plain: TraceJson = msgspec.convert(_encodable(msgspec.to_builtins(document)), TraceJson)
    return plain


def _encodable(value: object) -> object:
    if isinstance(value, str):
        return encodable(value)
    if isinstance(value, dict):
        return {key: _encodable(item) for key, item in value.items()}
    return [_encodable(item) for item in value] if isinstance(value, (list, tuple)) else value


def _entry(answer: Answer) -> AnswerEntry:
    return AnswerEntry(
        module=answer.module,
        name=answer.name,
        verdict=answer.verdict,
        places=answer.places,
        removed=_removed_entry(answer.removed) if answer.removed is not None else None,
        replacements=answer.replacements,
        unseen=answer.unseen,
    )


def _removed_entry(removed: Removed) -> RemovedEntry:
    return RemovedEntry(
        commit=commit_entry(removed.commit) if removed.commit is not None else None,
        path=removed.path,
        line=removed.line,
        kind=removed.kind,
        how=removed.how,
    )


def commit_entry(commit: Commit) -> CommitEntry:
    """A commit as JSON has it."""
    return CommitEntry(
        hash=commit.oid,
        author=commit.author,
        author_date=commit.author_date,
        commit_date=commit.commit_date,
        subject=commit.subject,
    )


# Text


def _page(what: str, found: Trace, paint: Paint) -> Iterator[str]:
    """The answer as lines of text."""
    for answer in found.answers:
        yield from _answer(answer, paint)
        yield ""
    told = {(place.path, place.line) for answer in found.answers for place in answer.places}
    places = [place for place in found.places if (place.path, place.line) not in told]
    if places:
        yield f"{counted(len(places), 'place')} in this tree {'has' if len(places) == 1 else 'have'} that name:"
        yield from _places(places, paint)
    elif not found.answers:
        yield f"{visible(what)} is nowhere in this tree, and nothing imports it; MODULE:NAME asks what one module had."


def _answer(answer: Answer, paint: Paint) -> Iterator[str]:
    asked = f"{answer.module}:{answer.name}" if answer.name else answer.module
    yield paint(visible(asked), "bold")
    yield from _verdict(answer)
    for reason in answer.unseen:
        yield from wrapped(reason, _WIDTH, "  not seen: ", "    ")
    if answer.verdict is Verdict.THERE:
        yield from _places(answer.places, paint)
    elif answer.replacements:
        yield ""
        yield "What took its place:" if answer.removed is not None else "What it may be:"
        for one in answer.replacements[:_BEST]:
            yield from _replacement(one, paint)
    elif answer.verdict is Verdict.REMOVED:
        yield "  Nothing took its place: no definition of this name, or with a similar body, is in this tree."


def _verdict(answer: Answer) -> Iterator[str]:
    kind = "name" if answer.name else "module"
    if answer.verdict is Verdict.THERE:
        yield "  It is there."
    elif answer.removed is not None:
        yield from _removed(answer.removed)
    elif answer.verdict is Verdict.NEVER:
        yield f"  Never there: no commit that this tree descends from had such a {kind}."
    elif answer.verdict is Verdict.UNKNOWN:
        yield f"  It is not there, and whether there ever was such a {kind} cannot be told."
    else:
        yield "  It is gone."


def _removed(removed: Removed) -> Iterator[str]:
    place = f"{removed.path}:{removed.line}" if removed.line else removed.path
    if removed.commit is None:
        yield from wrapped(
            f"Gone, by a change that is not committed yet: it {removed.how} ({place}).", _WIDTH, "  ", "  "
        )
        return
    commit = removed.commit
    yield from wrapped(f"Gone since {commit.oid[:12]}, which {removed.how} ({place}):", _WIDTH, "  ", "  ")
    yield from wrapped(commit.subject or "(no subject)", _WIDTH, "    ", "    ")
    dates = f"authored {commit.author_date}"
    if commit.commit_date != commit.author_date:
        dates += f", committed {commit.commit_date}"
    yield from wrapped(f"{commit.author}, {dates}", _WIDTH, "    ", "    ")


def _replacement(one: Replacement, paint: Paint) -> Iterator[str]:
    called = f"{one.module}:{one.name}" if one.name else one.module
    place = f"  {one.path}:{one.line}" if one.path else ""
    certainty = paint(f"{one.certainty:<8}", _STYLE[one.certainty])
    yield f"  {certainty}  {paint(visible(called), 'bold')}  {one.kind}{visible(place)}"
    yield from wrapped("; ".join(one.reasons), _WIDTH, " " * 12, " " * 12)


def _places(places: Sequence[Place], paint: Paint) -> Iterator[str]:
    for place in places[:_SHOWN]:
        where = f"{visible(place.path)}:{place.line}"
        yield f"  {place.role:<10}  {place.kind:<8}  {paint(where, 'cyan')}{visible(_leads(place))}"
    if len(places) > _SHOWN:
        yield f"  … and {len(places) - _SHOWN:,} more (--output json)"


def _leads(place: Place) -> str:
    """Where what is not defined there comes from."""
    if place.role is Role.DEFINITION or not place.defined_in:
        return ""
    return f"  from {place.defined_in}" + (f", {place.defined_as}" if place.role is Role.ALIAS else "")
