"""`guard rule`."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence

import click
import msgspec

from guard.cli.jsontext import json_text
from guard.config import RuleNames
from guard.configuration.convert import printable
from guard.model import ALL_GATES, Gate, GuardError, Severity
from guard.registry import Rule, all_rules

_WIDEST = 100
"""Columns. Prose wider than this is hard to read, however wide the terminal."""


class RuleEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One rule as `--output json` gives it."""

    code: str
    slug: str
    family: str
    severity: Severity
    gates: tuple[Gate, ...]
    since: str
    fixable: str
    """`safe`, `unsafe` or empty."""
    summary: str
    documentation: str
    """Markdown."""


class RuleList(msgspec.Struct, frozen=True, kw_only=True):
    """What `--output json` gives."""

    schema_version: int = 1
    rules: tuple[RuleEntry, ...]


@click.command("rule")
@click.argument("name", metavar="[CODE|SLUG|FAMILY]", required=False)
@click.option("--output", "form", type=click.Choice(["text", "json"]), default="text", help="How to write it.")
def command(name: str | None, form: str) -> int:
    """Explain a rule, or list the rules of a family, or all of them.

    The text is Markdown; on a terminal it is rendered.
    """
    rules = chosen(name)
    if form == "json":
        click.echo(json_text(RuleList(rules=tuple(map(_entry, rules)))), nl=False)
    elif name is not None and len(rules) == 1:
        _show(rule_document(rules[0]))
    else:
        click.echo(_listing(rules), nl=False)
    return 0


def chosen(name: str | None) -> list[Rule]:
    """The rules that go by `name`, sorted by code; all of them for None. Raises GuardError where none does."""
    rules = all_rules()
    if name is None:
        return list(rules.values())
    names = RuleNames(rules)
    found = names.find(name)
    if found is None:
        raise GuardError(f'no rule is called "{printable(name)}"{names.guess(name)}; "guard rule" lists all of them')
    return [rule for code, rule in rules.items() if code in found.codes]


def rule_document(rule: Rule) -> str:
    """The documentation of a rule as a Markdown page of its own."""
    title, _, body = rule.doc.partition("\n")  # the body begins with an empty line
    return f"# {rule.code} {rule.slug}\n\n{title}\n\n{_facts(rule)}\n{body.rstrip()}\n"


def _facts(rule: Rule) -> str:
    raised = f" (error at {' and '.join(rule.errors_at)})" if rule.errors_at else ""
    facts = [f"Severity: {rule.severity}{raised}", f"gates: {gates_text(rule)}", f"since {rule.since}"]
    if rule.fixable:
        option = "`--fix`" if rule.fixable == "safe" else "`--fix --unsafe-fixes`"
        facts.append(f"{option} can mend it")
    return " · ".join(facts)


def gates_text(rule: Rule) -> str:
    """The gates at which a rule is on, in words."""
    return "all" if set(rule.gates) == set(ALL_GATES) else ", ".join(rule.gates)


def _entry(rule: Rule) -> RuleEntry:
    return RuleEntry(
        code=rule.code,
        slug=rule.slug,
        family=rule.family,
        severity=rule.severity,
        gates=rule.gates,
        since=rule.since,
        fixable=rule.fixable,
        summary=rule.summary,
        documentation=rule.doc,
    )


def _listing(rules: Sequence[Rule]) -> str:
    """One line for each rule: code, slug, severity, gates, what `--fix` does, summary."""
    rows = [(rule.code, rule.slug, str(rule.severity), gates_text(rule), rule.fixable or "-") for rule in rules]
    heads = ("code", "name", "severity", "gates", "fix")
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    lines = []
    for row, summary in zip([heads, *rows], ["what it finds", *(rule.summary for rule in rules)], strict=True):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        lines.append(f"{'  '.join(cells)}  {summary}\n")
    return "".join(lines)


def _show(markdown: str) -> None:
    if not sys.stdout.isatty():
        click.echo(markdown, nl=False)
        return
    from rich.console import Console
    from rich.markdown import Markdown

    width = min(shutil.get_terminal_size((_WIDEST, 24)).columns, _WIDEST)
    Console(width=width).print(Markdown(markdown))
