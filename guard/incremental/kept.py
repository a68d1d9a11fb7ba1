"""What is kept of a tree that was judged whole, so that a tree that differs in few files need not be."""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import msgspec

from guard.checks.classes import FAMILY as CLASSES
from guard.checks.classes_facts import Body, ClassesFacts
from guard.checks.classes_pydantic import runs_second
from guard.checks.collecting import FAMILY as COLLECTING
from guard.checks.import_graph import graph_of
from guard.checks.module_facts import ModuleFacts
from guard.checks.module_table import Modules, whole_of
from guard.checks.modules import FAMILY as MODULES
from guard.checks.packing import unpack
from guard.checks.projects import projects_of
from guard.checks.requirements import Kind
from guard.checks.standard_library import is_standard
from guard.checks.strings import FAMILY as STRINGS
from guard.checks.strings_facts import StringsFacts
from guard.checks.syntax import FAMILY as SYNTAX
from guard.checks.test_files import TestFiles
from guard.checks.text import FAMILY as TEXT
from guard.checks.whole import Whole
from guard.dependencies.imports import imports_out, modules_of
from guard.dependencies.shadows import Shadowed, shadowed_in
from guard.engine import Judged
from guard.entrypoints import named_elsewhere
from guard.impact import Started, reach_of
from guard.incremental import maps as in_maps
from guard.incremental.maps import Added, Maps, between_newlines, packed
from guard.model import Finding, Impact, Problem
from guard.program import Program
from guard.rules.imp_cycles import cycles_of
from guard.rules.imp_starts import TEST, kind_of, starts_of


class Known(msgspec.Struct, frozen=True, array_like=True):
    """What a run over the whole tree said."""

    findings: Mapping[str, tuple[tuple[str, str], ...]]
    """By path, the codes and fingerprints of what was found, also of what the baseline knows."""
    reasons: Mapping[str, tuple[int, ...]]
    """By path, what `reason_of` gives for each of them, sorted."""
    shown: int
    """How many findings were left."""
    problems: tuple[Problem, ...]
    suppressed: int
    baselined: int
    found: int
    analysed: int
    broken: frozenset[str]
    """The files that cannot be imported."""
    fields: Mapping[str, tuple[str, ...]]
    """By name of an attribute or a variable, the files with findings that speak of it: another file may give it to what
    lacks it."""
    classes: Mapping[str, tuple[str, ...]]
    """By name of a class, the files with findings that speak of it."""
    looks: Mapping[str, str]
    """What was looked at in environments, with digests of what was seen."""
    applications: Mapping[str, bytes] = {}
    """`Report.kept`."""


class Kept(msgspec.Struct, frozen=True, array_like=True):
    """Of one tree, with one configuration and one set of rules."""

    known: Known
    whole: Whole
    anybody: tuple[str, ...]
    """The roots that some file or configuration declares, in the order in which they are looked into."""
    starts: frozenset[str]
    """The files that entry points lead to, and those that hand something to a server."""
    named: frozenset[str]
    """Every part of the dotted names and paths that files other than Python's start or load."""
    started: Started
    second_pydantic: bool
    """What `classes_pydantic.runs_second` says."""
    executed: frozenset[str]
    """Those that certainly are when a package of the tree is imported."""
    in_circles: frozenset[str]
    """The files that import one another in a circle when they are imported, and what decides which is the first one."""
    into_circles: frozenset[str]
    """The files that come to a circle where that may fail."""
    deployed: frozenset[str] | None
    """`ImportsOut.deployed_folders`."""
    waiting: frozenset[str]
    """`ImportsOut.asked_who_calls`."""
    shadowed: Shadowed
    tests_in: Mapping[str, tuple[int, int]]
    """`TestPlaces.counted`."""
    listed: frozenset[str]
    """The names of the files that lists of requirements include."""
    maps: str = ""
    """Where the `Maps` are cached that serve; empty for the place beside this."""
    added: Added = Added()
    """What has come to them since."""


_QUICK: Final = 1
"""Of zlib's levels: four fifths of the bytes go, in a fraction of the time that the others take."""
_ENCODER: Final = msgspec.msgpack.Encoder()
_KEPT: Final = msgspec.msgpack.Decoder(Kept)


def encode(kept: Kept) -> bytes:
    """The form in which it is cached. Raises UnicodeEncodeError where a path is no UTF-8."""
    return zlib.compress(_ENCODER.encode(kept), _QUICK)


def decode(value: bytes) -> Kept:
    """What `encode` gave. Raises msgspec.DecodeError for anything else."""
    try:
        return _KEPT.decode(zlib.decompress(value))
    except zlib.error as error:
        raise msgspec.DecodeError(str(error)) from error


BESIDE: Final = ":maps"
"""What comes behind the place of `Kept` to give that of its own `Maps`."""


def keep(program: Program, judged: Judged, every: Sequence[Finding]) -> Mapping[str, bytes]:
    """What there is to keep of a program that was judged whole, encoded, by what is to come behind its place; `every`
    are the findings before a baseline leaves some out. Nothing where it cannot be kept."""
    with contextlib.suppress(UnicodeEncodeError):
        return {"": encode(_kept(program, _known(judged, every))), BESIDE: in_maps.encode(_maps_of(program))}
    return {}


def _known(judged: Judged, every: Sequence[Finding]) -> Known:
    findings: dict[str, list[tuple[str, str]]] = {}
    for finding in every:
        findings.setdefault(finding.path, []).append((finding.code, finding.fingerprint))
    return Known(
        {path: tuple(keys) for path, keys in findings.items()},
        reasons_of(every),
        len(judged.findings),
        judged.problems,
        judged.suppressed,
        judged.baselined,
        judged.found,
        judged.analysed,
        frozenset((*judged.broken.modules, *judged.broken.test_files)),
        fields_of(every),
        classes_of(every),
        judged.looks,
        judged.kept,
    )


def reason_of(finding: Finding) -> int:
    """A number that is another one if something else is said of a finding: then there may be another reason for it,
    which others may know to be none. How far it reaches does not count."""
    message = finding.message.rpartition("; breaks ")[0] if finding.extent is not None else ""
    said = f"{finding.code}\n{finding.fingerprint}\n{message or finding.message}"
    return zlib.crc32(said.encode("utf-8", "surrogateescape"))


def reasons_of(findings: Iterable[Finding]) -> dict[str, tuple[int, ...]]:
    """What `Known.reasons` has of some findings."""
    found: dict[str, set[int]] = {}
    for finding in findings:
        found.setdefault(finding.path, set()).add(reason_of(finding))
    return {path: tuple(sorted(numbers)) for path, numbers in found.items()}


def fields_of(findings: Iterable[Finding]) -> dict[str, tuple[str, ...]]:
    """What `Known.fields` has of some findings."""
    return _speaking(findings, ("DCF", "IMP011", "IMP015", "SYN004"), FIELD)


def classes_of(findings: Iterable[Finding]) -> dict[str, tuple[str, ...]]:
    """What `Known.classes` has of some findings."""
    return _speaking(findings, ("DCF",), CLASS)


def _speaking(findings: Iterable[Finding], codes: tuple[str, ...], keys: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    found: dict[str, set[str]] = {}
    for finding in findings:
        if finding.code.startswith(codes):
            for name in names_in(finding, keys):
                found.setdefault(name, set()).add(finding.path)
    return {name: tuple(sorted(paths)) for name, paths in found.items()}


def names_in(finding: Finding, keys: tuple[str, ...]) -> Iterator[str]:
    """The last parts of the names under some keys of what a finding says for programs."""
    for key in keys:
        value = finding.data.get(key)
        if isinstance(value, str) and value:
            yield value.rpartition(".")[2]


FIELD: Final = ("field", "name")
CLASS: Final = ("class",)


def joined(known: Mapping[str, tuple[str, ...]], more: Mapping[str, tuple[str, ...]]) -> Mapping[str, tuple[str, ...]]:
    """The files of both, by name."""
    return {**known, **{name: tuple(sorted({*known.get(name, ()), *paths})) for name, paths in more.items()}}


def _kept(program: Program, known: Known) -> Kept:
    modules, reach = program.linked(MODULES), reach_of(program)
    graph = graph_of(program)
    return Kept(
        known=known,
        whole=msgspec.structs.replace(
            whole_of(modules),
            texts=frozenset(program.facts(TEXT)),
            builtins=program.linked(SYNTAX).builtins,
            given=program.linked(SYNTAX).given,
        ),
        anybody=modules.layout.roots.anybody,
        starts=frozenset(path for paths in reach.starts.values() for path in paths),
        started=Started(reach.startup, reach.scripts, reach.mains),
        second_pydantic=runs_second(program.linked(CLASSES).table),
        executed=imports_out(program).executed,
        in_circles=frozenset(path for circle in graph.circles for path in circle).union(_deciding(program)),
        into_circles=frozenset(path for cycle in cycles_of(program) for path in cycle.entrances),
        deployed=imports_out(program).deployed_folders,
        waiting=frozenset(imports_out(program).asked_who_calls),
        shadowed=shadowed_in(program),
        named=_named(program),
        tests_in=imports_out(program).tests.counted(),
        listed=projects_of(program).included,
    )


def _deciding(program: Program) -> frozenset[str]:
    """What decides beside the circles which of their modules is the first one, where that makes any difference."""
    if not any(cycle.entrances for cycle in cycles_of(program)):
        return frozenset()
    starts = starts_of(program)
    first = frozenset(path for start in starts if kind_of(start) == TEST for path in start.files[:-1])
    return first.union(*{start.before for start in starts})


def _named(program: Program) -> frozenset[str]:
    reach = reach_of(program)
    names = {
        f"{entry.module}.{entry.script.replace('/', '.')}.{entry.attribute}"
        for entry in (*reach.entry_points, *reach.starts, *named_elsewhere(program.tree))
    }
    names.update(TestFiles(program).plugins)
    names.update(plugin.module for facts in program.facts(COLLECTING).values() for plugin in facts.plugins)
    return frozenset(part for name in names for part in parts_of(name))


def _maps_of(program: Program) -> Maps:
    modules = program.linked(MODULES)
    words: set[str] = set()
    importers: dict[str, set[str]] = {}
    for path, facts in modules.facts.items():
        words.update(words_of(facts))
        for target in imported_by(path, facts, modules):
            importers.setdefault(target, set()).add(path)
    strings: dict[str, set[str]] = {}
    for path, texts in program.facts(STRINGS).items():
        for part in parts_of_strings(texts):
            strings.setdefault(part, set()).add(path)
    children: dict[str, set[str]] = {}
    silencing: dict[str, set[str]] = {}
    received: dict[str, set[str]] = {}
    for path, classes in program.facts(CLASSES).items():
        for base, child in kinships(classes):
            children.setdefault(base, set()).add(child)
        for key in silenced_by(classes):
            silencing.setdefault(key, set()).add(path)
        for key in received_in(classes):
            received.setdefault(key, set()).add(path)
    return Maps(
        importers=packed(importers),
        strings=packed(strings),
        children=packed(children),
        received=packed(received),
        silencing=packed(silencing),
        witnesses=packed(_witnesses(modules)),
        outside=packed(_outside(modules)),
        words=between_newlines({*words, *strings, *_named(program)}),
        provided=between_newlines(set(_provided(program))),
    )


def used_by(path: str, facts: ModuleFacts, modules: Modules) -> Iterator[str]:
    """What a file's imports add to `Whole.used`, in the form of `Maps.witnesses`."""
    for statement in facts.imports:
        if statement.level <= 0:
            for module in statement.modules:
                top, dot, _ = module.partition(".")
                found = modules.layout.find(path, module) if dot else None
                for root in found.roots if found is not None else ():
                    yield f"{root}\t{top}"


def _witnesses(modules: Modules) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for path, facts in modules.facts.items():
        for key in used_by(path, facts, modules):
            witnesses = found.setdefault(key, set())
            if len(witnesses) < _WITNESSES:
                witnesses.add(path)
    return found


def _outside(modules: Modules) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for path, facts in modules.facts.items():
        for statement in facts.imports:
            for one in modules_of(path, statement) if statement.level <= 0 else ():
                if not is_standard(one.top):
                    witnesses = found.setdefault(one.module, set())
                    if len(witnesses) < _WITNESSES:
                        witnesses.add(path)
    return found


_WITNESSES: Final = 8


def imported_by(path: str, facts: ModuleFacts, modules: Modules) -> Iterator[str]:
    """The files that imports of a file lead to, wherever they stand."""
    for statement in facts.imports:
        for module in statement.modules:
            yield from modules.executed_by(path, statement, module)
            missing = modules.resolve(path, statement.level, module).missing
            if missing is not None:
                yield from modules.executed(missing.parent)


def words_of(facts: ModuleFacts) -> Iterator[str]:
    """Every part of the dotted names that a file's imports, and its `__all__`, look for."""
    for statement in facts.imports:
        for module in statement.modules:
            yield from parts_of(module)
        yield from (alias.name for alias in statement.aliases)
    yield from (exported.name for exported in facts.exports or ())


def parts_of(text: str) -> Iterator[str]:
    """The parts of a dotted name, also of one with a colon."""
    return (part for part in text.replace(":", ".").split(".") if part)


def parts_of_strings(facts: StringsFacts) -> Iterator[str]:
    """The parts of the dotted names that a file's strings are, and of what they are looked for in."""
    for use in facts.uses:
        yield from parts_of(use.text)
    for ref in facts.refs:
        yield from parts_of(f"{ref.module}.{ref.name}")


def kinships(facts: ClassesFacts) -> Iterator[tuple[str, str]]:
    """Of each class of a file, the name of each base with its own."""
    for header in facts.classes:
        for base in header.bases:
            if base >= 0:
                yield facts.refs[base].name.rpartition(".")[2], header.name.rpartition(".")[2]


def silenced_by(facts: ClassesFacts) -> Iterator[str]:
    """The keys of `Maps.silencing` under which a file stands."""
    yield from facts.set_by_name
    for write in facts.writes:
        leading, _, last = write.path.rpartition(".")
        owner = "" if leading else facts.refs[write.type].name.rpartition(".")[2]
        yield f"{owner}=" if write.opens else last
    for base, _ in kinships(facts):
        yield f"{base}="


def received_in(facts: ClassesFacts) -> Iterator[str]:
    """The keys of `Maps.received` under which a file stands."""
    looked_into = {*facts.uses, *facts.chains, *facts.stores, *facts.members, *facts.keys}
    looked_into.update(
        ref for ref, calls in facts.calls.items() if facts.refs[ref].is_local and any(call.own for call in calls)
    )
    given = {told.type for told in facts.returns}
    for header in facts.classes:
        body = unpack(header.body, Body)
        given.update(field.type for field in body.fields)
        given.update(typed.type for typed in body.typed)
    for refs, mark in ((looked_into, ""), (given, "=")):
        for ref in refs:
            if ref >= 0:
                yield facts.refs[ref].name.rpartition(".")[2] + mark


ALWAYS: Final = "always"
FOR_DEVELOPERS: Final = "developers"


def _provided(program: Program) -> Iterator[str]:
    imports = imports_out(program)
    for one in imports.all:
        kind = imports.projects.view_of(one.path).kind_of(one.module)
        folder = one.path.rpartition("/")[0]
        if kind is Kind.RUNTIME or kind is Kind.EXTRA:
            yield f"{folder}\t{ALWAYS}\t{one.module}"
        elif kind is not None and imports.purpose(one.path) in (Impact.TESTS, Impact.TOOLING):
            yield f"{folder}\t{FOR_DEVELOPERS}\t{one.module}"
