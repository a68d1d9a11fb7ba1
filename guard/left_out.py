"""What a check finds and does not report, and what leaves it out: for whoever asks why a gate let something through."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from guard import baseline
from guard.checks.suppressions import FAMILY as SUPPRESSIONS
from guard.config import Config, RuleNames, ignored_in
from guard.engine import Options, known_entries, look
from guard.model import Finding
from guard.registry import all_rules
from guard.sources.tree import Tree
from guard.suppress import comment_on
from guard.verdicts import findings_of


class LeftOut(msgspec.Struct, frozen=True):
    """A finding that no report has."""

    finding: Finding
    by: str
    """What leaves it out, for a person: a comment with its place and reason, a setting, the baseline."""


def left_out(
    tree: Tree, config: Config, codes: Collection[str], selected: Collection[str], options: Options
) -> tuple[LeftOut, ...]:
    """The findings of the rules `codes` that a check of `tree` with the rules `selected` does not report; what comes
    from installed packages is not among them. Raises GuardError where ruff, git or the baseline cannot be had."""
    rules = all_rules()
    program = look(tree, config, frozenset(rules), options)
    found = [(rules[code], violation) for code in sorted(codes) for violation in rules[code].check(program)]
    findings = list(findings_of(program, found))
    entries = known_entries(tree, config)
    there = tree.files.__contains__
    new = baseline.apply(findings, entries, codes, there, there).kept
    fresh = {baseline.entry_of(finding) for finding in new}
    ignored = ignored_in(config, rules)
    comments, names = program.linked(SUPPRESSIONS), RuleNames(rules)
    gone: list[LeftOut] = []
    for finding in findings:
        comment = comment_on(finding, comments.get(finding.path, ()), names)
        if finding.code not in selected:
            by = f"{finding.code} is not selected in the configuration"
        elif comment is not None:
            reason = f', for the reason "{comment.reason}"' if comment.reason else ", without a reason"
            by = f"the comment {comment.written} at {finding.path}:{comment.line} leaves it out{reason}"
        elif finding.code in ignored(finding.path):
            by = f"per-file-ignores leave {finding.code} out of {finding.path}"
        elif baseline.entry_of(finding) not in fresh:
            by = f"the baseline {config.baseline} has it as known"
        else:
            continue
        gone.append(LeftOut(finding, by))
    return tuple(gone)
