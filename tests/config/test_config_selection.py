"""Which rules are on, how severe they are, and where they are ignored."""

from __future__ import annotations

import pytest
from config_support import RULES, make_rule

from guard.config import Config, ConfigError, ignored_in, matcher, reserved_in, resolve_selection, resolve_severities
from guard.configuration.names import RESERVED, RuleNames
from guard.model import Gate, Severity
from guard.registry import all_rules

ALL = {"EOL001", "IMP001", "IMP002", "MID001", "MID005", "SUP001"}
AT_COMMIT = {"EOL001", "IMP001", "IMP002", "SUP001"}


def resolved(
    config: Config | None = None, select: str = "", ignore: str = "", gate: Gate | None = None
) -> frozenset[str]:
    return resolve_selection(config or Config(), select.split(), ignore.split(), gate, RULES)


@pytest.mark.parametrize(
    ("config", "select", "ignore", "gate", "expected"),
    [
        (Config(), "", "", None, ALL),
        (Config(), "", "", Gate.PRE_COMMIT, AT_COMMIT),
        # codes, families and slugs, in any case
        (Config(), "IMP", "", None, {"IMP001", "IMP002"}),
        (Config(), "imp002 eol", "", None, {"IMP002", "EOL001"}),
        (Config(), "missing-name wrong-order", "", None, {"IMP002", "MID001"}),
        (Config(select=("EOL", "missing-name")), "", "", None, {"EOL001", "IMP002"}),
        # the command line's select replaces the config's
        (Config(select=("EOL",)), "IMP", "", None, {"IMP001", "IMP002"}),
        # ignore wins over select
        (Config(select=("IMP",), ignore=("IMP", "MID")), "EOL", "", None, {"EOL001"}),
        (Config(), "IMP", "IMP002", None, {"IMP001"}),
        (Config(), "IMP002 IMP001", "missing-name", None, {"IMP001"}),
        (Config(ignore=("ALL",)), "EOL001", "", None, {"EOL001"}),
        # the more specific wins
        (Config(select=("ALL",), ignore=("IMP",)), "", "", None, ALL - {"IMP001", "IMP002"}),
        (Config(select=("ALL", "IMP002"), ignore=("IMP",)), "", "", None, ALL - {"IMP001"}),
        (Config(ignore=("IMP002",)), "IMP", "", None, {"IMP001"}),
        (Config(ignore=("IMP002",)), "ALL", "", None, ALL - {"IMP002"}),
        # at the same level the command line wins over the config
        (Config(ignore=("IMP002",)), "IMP002", "", None, {"IMP002"}),
        (Config(select=("IMP001", "IMP002")), "", "IMP002", None, {"IMP001"}),
        (Config(ignore=("IMP",)), "IMP", "", None, {"IMP001", "IMP002"}),
        # a gate leaves out what is not its own, but for what the command line names by code or slug
        (Config(select=("MID001", "IMP")), "", "", Gate.PRE_COMMIT, {"IMP001", "IMP002"}),
        (Config(), "MID001 IMP", "", Gate.PRE_COMMIT, {"MID001", "IMP001", "IMP002"}),
        (Config(), "wrong-order MID", "", Gate.PRE_COMMIT, {"MID001"}),
        (Config(), "", "EOL", Gate.IMAGE, {"IMP001", "IMP002"}),
        # off is the same as ignored
        (Config(severity={"IMP": "off", "IMP002": "info"}), "", "", None, ALL - {"IMP001", "IMP002"}),
        (Config(severity={"IMP": "off"}), "IMP001", "", None, {"IMP001"}),
    ],
)
def test_selection(config: Config, select: str, ignore: str, gate: Gate | None, expected: set[str]) -> None:
    assert resolved(config, select, ignore, gate) == expected


@pytest.mark.parametrize(
    ("config", "select", "gate", "is_on"),
    [
        (Config(), "", None, False),
        (Config(), "", Gate.CI, True),
        (Config(), "", Gate.PRE_COMMIT, False),
        (Config(), "SSOT", None, True),
        (Config(), "ALL", None, True),
        (Config(select=("ALL", "SSOT")), "", None, True),
        (Config(select=("ALL", "duplicate-definition")), "", None, True),
        (Config(select=("ALL", "SSOT")), "", Gate.PRE_COMMIT, False),
    ],
)
def test_what_is_for_the_report_alone_has_to_be_asked_for(
    config: Config, select: str, gate: Gate | None, is_on: bool
) -> None:
    rules = {**RULES, "SSOT001": make_rule("SSOT001", "duplicate-definition", (Gate.CI,))}
    assert ("SSOT001" in resolve_selection(config, select.split(), [], gate, rules)) is is_on


def test_unknown_names_on_the_command_line_are_all_told() -> None:
    with pytest.raises(ConfigError) as caught:
        resolved(None, "IMP02 missing-nam", "MIDD")
    assert caught.value.errors == [
        '--select: no rule is called "IMP02", did you mean "IMP002"?',
        '--select: no rule is called "missing-nam", did you mean "missing-name"?',
        '--ignore: no rule is called "MIDD", did you mean "MID"?',
    ]


def test_families_of_later_versions_are_told_and_passed_over() -> None:
    assert resolved(None, "IMP tst", "ENV") == resolved(None, "IMP", "")
    assert reserved_in(Config(), ["IMP", "tst", "ENV"]) == ["ENV", "TST"]
    assert reserved_in(Config(select=("TST",)), ["IMP"]) == []
    assert reserved_in(Config(select=("ALL", "TST")), []) == ["TST"]
    assert not RESERVED & {rule.family for rule in all_rules().values()}
    with pytest.raises(ConfigError, match="no rule is left to run"):
        resolved(None, "TST", "")


def test_a_run_without_rules_is_an_error_and_never_clean() -> None:
    with pytest.raises(ConfigError, match="no rule is left to run: see select and ignore"):
        resolved(None, "IMP002", "IMP002")
    with pytest.raises(ConfigError, match="no rule is left to run at the gate image"):
        resolved(None, "MID", "", Gate.IMAGE)


def test_severities_by_code_family_and_slug() -> None:
    config = Config(severity={"missing-name": "warning", "IMP": "info", "MID": "off", "ALL": "error", "EOL": "info"})
    assert resolve_severities(config, RULES) == {
        "EOL001": Severity.INFO,
        "IMP001": Severity.INFO,
        "IMP002": Severity.WARNING,
        "MID001": Severity.ERROR,
        "MID005": Severity.ERROR,
        "SUP001": Severity.ERROR,
    }
    assert resolve_severities(Config(), RULES) == {}


def test_names() -> None:
    names = RuleNames(RULES)
    assert names.codes == ALL
    assert names.in_comment("imp") == {"IMP001", "IMP002"}
    assert names.in_comment("Missing-Name") == {"IMP002"}
    assert names.in_comment("ALL") is None
    assert names.in_comment("IMP003") is None
    assert names.find("") is None


@pytest.mark.parametrize(
    ("patterns", "path", "expected"),
    [
        ((), "a.py", False),
        (("*.py",), "a/b.py", True),
        (("gen/",), "a/gen/b/c.py", True),
        (("gen/",), "gen", False),
        (("/gen",), "a/gen/b.py", False),
        (("gen/", "!gen/keep.py"), "gen/keep.py", False),
        (("gen/", "!gen/keep.py"), "gen/b.py", True),
        (("gen/*", "!gen/keep.py"), "gen/keep.py", False),
        ((r"/svc/\[x]/**/t/",), "svc/[x]/deep/t/a.py", True),
        ((r"/svc/\[x]/**/t/",), "svc/[x]/t/a.py", True),
        ((r"/svc/\[x]/**/t/",), "svc/x/t/a.py", False),
        (("*.py",), "odd\udcff\n.py", True),
    ],
)
def test_patterns(patterns: tuple[str, ...], path: str, expected: bool) -> None:
    assert matcher(patterns)(path) is expected


def test_per_file_ignores_add_up() -> None:
    config = Config(per_file_ignores={"tests/**": ("IMP",), "*_gen.py": ("eol001", "missing-name")})
    ignored = ignored_in(config, RULES)
    assert ignored("tests/a.py") == {"IMP001", "IMP002"}
    assert ignored("tests/a_gen.py") == {"IMP001", "IMP002", "EOL001"}
    assert ignored("a_gen.py") == {"IMP002", "EOL001"}
    assert ignored("a.py") == frozenset()
