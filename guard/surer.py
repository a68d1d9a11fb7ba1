"""Fixes of imports that the history makes surer: what is likely by the tree may be certain by what became of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from guard.cache import Cache
from guard.checks.broken_imports import BrokenImport
from guard.checks.modules import FAMILY
from guard.checks.strings import FAMILY as STRINGS
from guard.checks.strings import BrokenString
from guard.checks.strings_commands import BrokenEntryPoint, broken_entry_points
from guard.entrypoints import named_elsewhere
from guard.history.question import tracer_of
from guard.history.tracer import Tracer
from guard.impact import reach_of
from guard.mending.imports import Lookup, Mending, export_mending, mending_of
from guard.mending.strings import entry_point_mending, string_mending
from guard.model import Finding, Report
from guard.program import Program
from guard.where import Replacement, where

CODES = frozenset({"IMP001", "IMP002", "IMP006", "IMP007", "IMP010"})
"""The rules whose fixes depend on where something went."""


def looking_up(program: Program, tracer: Tracer) -> Lookup:
    """Where a name of a module went, by the tree and its history."""
    index = where(program)
    asked: dict[tuple[str, str], tuple[Replacement, ...]] = {}

    def look_up(module: str, name: str, path: str) -> tuple[Replacement, ...]:
        old = index.absolute(module, path)
        found = asked.get((old, name))
        if found is None:
            found = asked[old, name] = tracer.answer(old, name, path).replacements
        return tuple(_seen_from(one, path) for one in found)

    def _seen_from(one: Replacement, path: str) -> Replacement:
        """The same place, by the name that this file can import it by."""
        if not one.path or (one.kind == "module" and one.name):
            return one
        return msgspec.structs.replace(one, module=index.module_of(one.path, path) or one.module)

    return look_up


def surer(program: Program, cache: Cache, findings: Iterable[Finding]) -> Callable[[Report], Report]:
    """A function that puts into a report what the history says of the fixes of these findings.

    Raises EnvironmentFailed where git is missing.
    """
    tracer = tracer_of(program, cache, in_bulk=True)
    try:
        known = _known(program, looking_up(program, tracer), list(findings))
    finally:
        tracer.close()

    def told(report: Report) -> Report:
        found = [_with(finding, known.get(_identity(finding), _UNKNOWN)) for finding in report.findings]
        return msgspec.structs.replace(report, findings=tuple(found))

    return told


_Identity = tuple[str, str, str]
_UNKNOWN = Mending({}, False, "")


def _identity(finding: Finding) -> _Identity:
    return finding.path, finding.code, finding.fingerprint


def _known(program: Program, look_up: Lookup, findings: Sequence[Finding]) -> Mapping[_Identity, Mending | None]:
    broken = {_place(one): one for one in program.linked(FAMILY).broken}
    strings = _strings(program) if any(finding.code == "IMP006" for finding in findings) else {}
    known: dict[_Identity, Mending | None] = {}
    for finding in findings:
        name = str(finding.data.get("name", ""))
        if finding.code == "IMP010" and finding.fix is not None:
            known[_identity(finding)] = export_mending(program, finding.path, name, look_up)
        elif finding.code == "IMP006":
            string = strings.get((finding.path, finding.span.line, finding.span.column))
            if isinstance(string, BrokenString):
                known[_identity(finding)] = string_mending(program, string, look_up)
            elif string is not None:
                known[_identity(finding)] = entry_point_mending(program, string, look_up)
        elif finding.code in CODES:
            found = broken.get((finding.path, finding.span.line, finding.span.column, name))
            if found is not None:
                known[_identity(finding)] = mending_of(program, found, look_up)
    return known


def _strings(program: Program) -> Mapping[tuple[str, int, int], BrokenString | BrokenEntryPoint]:
    """The strings that lead nowhere, by their place."""
    entries = [*reach_of(program).entry_points, *named_elsewhere(program.tree)]
    found: dict[tuple[str, int, int], BrokenString | BrokenEntryPoint] = {
        (entry.entry.path, entry.line, entry.column): entry for entry in broken_entry_points(program, entries)
    }
    found.update(((one.path, one.use.line, one.use.column), one) for one in program.linked(STRINGS).broken)
    return found


def _place(broken: BrokenImport) -> tuple[str, int, int, str]:
    place = broken.alias or broken.statement
    return broken.path, place.line, place.column, broken.name


def _with(finding: Finding, mending: Mending | None) -> Finding:
    if mending is _UNKNOWN:
        return finding
    if mending is None:
        return msgspec.structs.replace(finding, fix=None)
    rest = {key: value for key, value in finding.data.items() if key not in ("moved_to", "private")}
    return msgspec.structs.replace(finding, fix=mending.fix, data={**rest, **mending.data})
