"""How `guard show middleware` writes Markdown: a diagram and a table for each application."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from typing import Final

from guard.checks.middleware_compare import AppChange
from guard.checks.middleware_view import AppView, LayerView, NodeView
from guard.cli.show_middleware_text import by_provider, change_words, place
from guard.report.escape import visible
from guard.report.markdown_page import as_text as text


def render(apps: Sequence[AppView]) -> str:
    """The applications as Markdown, with a Mermaid diagram each."""
    lines = ["# Middleware", ""]
    if not apps:
        lines += ["No application was found that middleware could stand around.", ""]
    for app in apps:
        lines.extend(_application(app, 2))
    return "\n".join(lines)


def render_changes(changes: Sequence[AppChange], since: str) -> str:
    """What became of applications since a revision, as Markdown."""
    lines = [f"# Middleware since {text(since)}", ""]
    if not changes:
        lines += ["No application has other middleware.", ""]
    for change in changes:
        word = {"gone": " is gone", "added": " is new", "changed": ""}[change.change]
        lines += [f"## {code(change.name)}{word}", "", "| | layer | place | what changed |", "|---|---|---|---|"]
        for layer in change.layers:
            mark = {"gone": "−", "added": "+", "moved": "~", "conditional": "?"}.get(layer.change, "")
            spot = layer.now or layer.before
            where = code(place(spot)) if spot is not None else ""
            lines.append(f"| {mark} | {code(layer.name)} | {where} | {text(change_words(layer))} |")
        lines.append("")
    return "\n".join(lines)


def code(words: str) -> str:
    """Words as code, which no character of theirs can end."""
    return f"<code>{text(words)}</code>"


def _application(app: AppView, level: int) -> Iterator[str]:
    title = f"Any application that {code(app.name)} is handed" if app.handed else code(app.name)
    yield from (f"{'#' * min(level, 6)} {title}", "")
    yield f"{text(app.framework)}, {'set up' if app.handed else 'created'} in {code(place(app.spot))}."
    for note in app.notes:
        yield f"{text(note[:1].upper() + note[1:])}."
    yield from ("", "```mermaid", *_Diagram().lines(app), "```", "")
    rows = list(_rows(app.nodes, ()))
    if rows:
        yield from (
            "| layer, outermost first | added in | when | sets | cannot see |",
            "|---|---|---|---|---|",
            *rows,
            "",
        )
    for mounted in app.mounted:
        yield from (f"Mounted in {code(app.name)}:", "")
        yield from _application(mounted, level + 1)


def _rows(nodes: Sequence[NodeView], under: tuple[str, ...]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, LayerView):
            where = code(place(node.spot)) if node.spot is not None else "the framework"
            where += f", {code(node.hook)}" if node.hook else ""
            when = " and ".join(code(one) for one in under)
            sets = ", ".join(code(f"request.{part}") for part in node.sets)
            unseen = "; ".join(
                f"{', '.join(code(f'request.{part}') for part in parts)} ({code(provider)}, {code(place(spot))})"
                for (provider, spot), parts in by_provider(node.unseen).items()
            )
            yield f"| {code(node.name)} | {where} | {when} | {sets} | {unseen} |"
        else:
            for arm in node.arms:
                yield from _rows(arm.nodes, (*under, arm.when) if arm.when else under)


class _Diagram:
    """A Mermaid flow chart of one application: a request comes in at the top."""

    def __init__(self) -> None:
        self._number = 0

    def lines(self, app: AppView) -> Iterator[str]:
        """All lines of it."""
        yield "flowchart TB"
        yield '  request(["request"])'
        ends = yield from self._nodes(app.nodes, [("request", "")])
        core = self._name()
        yield f'  {core}(("{_label(app.name)}"))'
        yield from _arrows(ends, core)

    def _name(self) -> str:
        self._number += 1
        return f"n{self._number}"

    def _nodes(
        self, nodes: Sequence[NodeView], ends: list[tuple[str, str]]
    ) -> Generator[str, None, list[tuple[str, str]]]:
        """The layers of a stack behind what `ends` names with the words on the arrow; gives the ends behind them."""
        for node in nodes:
            name = self._name()
            if isinstance(node, LayerView):
                where = f"<br/>{_label(place(node.spot))}" if node.spot is not None else ""
                where += f"<br/>{_label(node.hook)}" if node.hook else ""
                yield f'  {name}["{_label(node.name)}{where}"]'
                yield from _arrows(ends, name)
                ends = [(name, "")]
                continue
            yield f'  {name}{{"{_label(place(node.spot))}"}}'
            yield from _arrows(ends, name)
            behind: list[tuple[str, str]] = []
            for arm in node.arms:
                behind += yield from self._nodes(arm.nodes, [(name, arm.when or "otherwise")])
            ends = behind
        return ends


def _arrows(ends: Sequence[tuple[str, str]], to: str) -> Iterator[str]:
    for name, words in ends:
        yield f'  {name} -->|"{_label(words)}"| {to}' if words else f"  {name} --> {to}"


_ENTITIES: Final = str.maketrans(
    {"#": "#35;", "&": "#amp;", '"': "#quot;", "<": "#lt;", ">": "#gt;", "`": "#96;", "\\": "#92;"}
)


def _label(words: str) -> str:
    """Words inside the quotes of a Mermaid label, which has entities of its own."""
    return visible(words).translate(_ENTITIES)
