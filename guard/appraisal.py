"""From a tree to an `Appraisal`: what `guard report` says.

The findings are those of a check with the rules that are on in CI. The score is that of a second run, in which the
configuration leaves nothing out: neither files nor findings; where it leaves nothing out anyway, it is one run.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING

import msgspec

from guard.census import Census
from guard.config import Config, matcher, resolve_selection
from guard.engine import Options, check, survey
from guard.model import Gate, Report
from guard.registry import Rule
from guard.scoring.model import Appraisal, LeftOut, Standing
from guard.scoring.weigh import standing_of
from guard.sources.tree import Tree

if TYPE_CHECKING:
    Within = Callable[[str], bool]


def appraise(
    tree: Tree, config: Config, rules: Mapping[str, Rule], options: Options, within: Within | None = None
) -> Appraisal:
    """Where `tree` stands, or the part of it that `within` names. Raises as `engine.check` does, and ConfigError where
    no rule is on."""
    codes = resolve_selection(config, (), (), Gate.CI, rules)
    full, standing = stand(tree, config, codes, options, within, rules)
    if config == _whole(config):
        return Appraisal(report=_narrowed(full, options, within), standing=standing)
    report = check(tree, config, codes, options, within)
    gone = max(0, len(_narrowed(full, options, within).findings) - len(report.findings))
    left_out = msgspec.structs.replace(standing.left_out, findings=gone)
    return Appraisal(report=report, standing=msgspec.structs.replace(standing, left_out=left_out))


def stand(
    tree: Tree,
    config: Config,
    codes: frozenset[str],
    options: Options,
    within: Within | None,
    rules: Mapping[str, Rule],
) -> tuple[Report, Standing]:
    """The report on everything, the files and findings too that the configuration leaves out, and the standing that
    follows from it, of the part of the tree that `within` names. Raises as `engine.check` does."""
    full, census = survey(tree, _whole(config), codes, options)
    left_out = _left_out(config, codes, rules, census, within)
    if within is not None:
        census = msgspec.structs.replace(
            census,
            files=tuple(one for one in census.files if within(one.path)),
            unread=tuple(one for one in census.unread if within(one.path)),
        )
    seen = _narrowed(full, options, within)
    return full, standing_of(seen, census, config.report, codes, left_out)


def _whole(config: Config) -> Config:
    """The configuration, leaving nothing out."""
    return msgspec.structs.replace(config, exclude=(), per_file_ignores={}, baseline="")


def _narrowed(report: Report, options: Options, within: Within | None) -> Report:
    if within is None:
        return report
    told = set(options.problems)
    return msgspec.structs.replace(
        report,
        findings=tuple(one for one in report.findings if within(one.path)),
        problems=tuple(one for one in report.problems if one in told or not one.path or within(one.path)),
        broken=report.broken.only(within),
    )


def _left_out(
    config: Config, codes: Collection[str], rules: Mapping[str, Rule], census: Census, within: Within | None
) -> LeftOut:
    """What the configuration leaves out of a check. How many findings it is, only the two reports tell."""
    excluded = matcher(config.exclude)
    files = [one for one in census.files if excluded(one.path) and (within is None or within(one.path))]
    off = tuple(code for code, rule in rules.items() if Gate.CI in rule.gates and code not in codes)
    return LeftOut(files=len(files), lines=sum(one.lines for one in files), rules=off)
