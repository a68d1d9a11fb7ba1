"""What rules are called: ALL, a family's letters, a code, a slug; and which rules a run has on."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from guard.configuration.settings import Config
from guard.model import ConfigError, Gate, Severity

if TYPE_CHECKING:
    from guard.registry import Rule

SIMILAR: Final = 75
"""Percent of likeness (Indel distance) from which a name is offered as what may have been meant."""


RESERVED: Final = frozenset({"ENV", "TMO", "NET", "ORD", "TST", "REF", "DEP"})
"""Families whose rules come with a later version. To select one is no mistake, so that one configuration serves many
versions of guard; but it is told, since what it asks for is not checked."""


class Specificity(enum.IntEnum):
    """How narrowly a name picks rules; the narrower one wins."""

    ALL = 0
    FAMILY = 1
    CODE = 2


class Named(NamedTuple):
    """The rules that a name stands for."""

    specificity: Specificity
    codes: frozenset[str]


class RuleNames:
    """Every name that rules go by. Case does not count."""

    __slots__ = ("_known", "codes")

    def __init__(self, rules: Mapping[str, Rule]) -> None:
        self.codes: Final = frozenset(rules)
        families: dict[str, set[str]] = {}
        for code, rule in rules.items():
            families.setdefault(rule.family, set()).add(code)
        self._known = {"ALL": Named(Specificity.ALL, self.codes)}
        for family, codes in families.items():
            self._known[family] = Named(Specificity.FAMILY, frozenset(codes))
        for code, rule in rules.items():
            named = Named(Specificity.CODE, frozenset((code,)))
            self._known[code] = named
            self._known[rule.slug.upper()] = named

    def find(self, name: str) -> Named | None:
        """What `name` stands for; None where no rule goes by it."""
        return self._known.get(name.upper())

    def in_comment(self, name: str) -> frozenset[str] | None:
        """The codes that `name` stands for in a suppression comment, where ALL is no name."""
        found = self.find(name)
        return None if found is None or found.specificity is Specificity.ALL else found.codes

    def guess(self, name: str) -> str:
        """`, did you mean "IMP002"?` for a name that is not known; empty where nothing is near."""
        slugs = any(character.islower() for character in name) and "-" in name
        near = [known.lower() if "-" in known else known for known in self._known]
        return did_you_mean(name if slugs else name.upper(), near)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`, did you mean "…"?` with the nearest of `known`; empty where none is near."""
    from rapidfuzz import fuzz, process  # a tenth of a second, and only mistakes need it

    best = process.extractOne(name, sorted(known), scorer=fuzz.ratio, score_cutoff=SIMILAR)
    return f', did you mean "{best[0]}"?' if best else ""


class _Wish(NamedTuple):
    """One entry of a select or ignore list. Of two that speak of one rule, the greater wins."""

    specificity: Specificity
    from_command_line: bool
    ignores: bool


def resolve_selection(
    config: Config,
    select: Sequence[str],
    ignore: Sequence[str],
    gate: Gate | None,
    rules: Mapping[str, Rule],
) -> frozenset[str]:
    """The codes that are on in a run.

    `select` and `ignore` are the command line's. Its select replaces the config's; its ignore is added. Of entries
    that disagree about a rule the more specific wins (code or slug, family, ALL), then the command line's, then
    the one that ignores. A `gate` leaves out the rules that are not its own, except those that the command line
    selects by code or slug. Where no gate is given, ALL in the configuration leaves out the rules that are for the
    report in CI alone. A severity of `off` ignores.

    Families of `RESERVED` are passed over: see `reserved_in`. Raises ConfigError for names that no rule has, and when
    no rule is left: a run that checks nothing is never clean.
    """
    names = RuleNames(rules)
    wishes: list[tuple[Named, _Wish]] = []
    errors: list[str] = []

    def wish(entries: Iterable[str], option: str, from_command_line: bool, ignores: bool) -> None:
        for entry in entries:
            named = names.find(entry)
            if named is None and entry.upper() in RESERVED:
                continue
            if named is None:
                errors.append(f'{option}: no rule is called "{entry}"{names.guess(entry)}')
            else:
                wishes.append((named, _Wish(named.specificity, from_command_line, ignores)))

    if select:
        wish(select, "--select", True, False)
    else:
        wish(config.select, "select", False, False)
    wish(config.ignore, "ignore", False, True)
    wish((name for name, level in config.severity.items() if level == "off"), "severity", False, True)
    wish(ignore, "--ignore", True, True)
    if errors:
        raise ConfigError(errors)

    strongest: dict[str, _Wish] = {}
    for named, this in wishes:
        for code in named.codes:
            strongest[code] = max(strongest.get(code, this), this)
    enabled = frozenset(
        code for code, this in strongest.items() if not this.ignores and _is_wanted(rules[code], this, gate)
    )
    if not enabled:
        at_gate = f" at the gate {gate.value}" if gate else ""
        raise ConfigError([f"no rule is left to run{at_gate}: see select and ignore"])
    return enabled


def reserved_in(config: Config, select: Sequence[str]) -> list[str]:
    """The families that a run selects and that this version has no rules of, sorted."""
    return sorted({entry.upper() for entry in select or config.select} & RESERVED)


def _is_wanted(rule: Rule, wish: _Wish, gate: Gate | None) -> bool:
    """Whether a selected rule is on at a gate, or where none is given."""
    if gate is None:
        return rule.gates != (Gate.CI,) or wish.from_command_line or wish.specificity > Specificity.ALL
    return gate in rule.gates or (wish.from_command_line and wish.specificity is Specificity.CODE)


def resolve_severities(config: Config, rules: Mapping[str, Rule]) -> Mapping[str, Severity]:
    """The severities that the config sets, by code; the more specific name wins, then the later one."""
    names = RuleNames(rules)
    found: dict[str, tuple[Specificity, Severity]] = {}
    for name, level in config.severity.items():
        named = names.find(name)
        if named is None or level == "off":
            continue
        for code in named.codes:
            if code not in found or found[code][0] <= named.specificity:
                found[code] = named.specificity, Severity(level)
    return {code: severity for code, (_, severity) in found.items()}
