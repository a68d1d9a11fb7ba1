"""How `guard show middleware` draws for a person: each layer opens a bracket that goes round all that is inside it."""

from __future__ import annotations

import io
from collections.abc import Generator, Iterable, Iterator, Sequence
from typing import Final

from rich.console import Console
from rich.text import Text

from guard.checks.middleware_compare import AppChange, LayerChange
from guard.checks.middleware_view import AppView, ChoiceView, LayerView, NodeView, Spot, Unseen
from guard.model import Impact
from guard.report.escape import cells, visible, wrapped
from guard.report.tally import counted

_WIDEST: Final = 44
"""Columns of the names, at the most; what is longer pushes its place to the right."""
_FOR: Final = {
    Impact.STARTUP: "a deployed process runs it when it starts",
    Impact.RUNTIME: "production code",
    Impact.TESTS: "test code",
    Impact.TOOLING: "tooling",
}
_PART: Final = "request."


def render(apps: Sequence[AppView], left: str, *, color: bool, width: int) -> str:
    """The applications as text, at most `width` columns wide; `left` says what is not shown."""
    lines: list[Text] = []
    for number, app in enumerate(apps):
        if number:
            lines.append(Text())
        lines.extend(_application(app, "", width))
    if not apps:
        lines.append(Text("No application was found that middleware could stand around."))
    if left:
        lines.extend((Text(), Text(left, "dim")) if apps else (Text(left, "dim"),))
    return _printed(lines, color=color, width=width)


def render_changes(changes: Sequence[AppChange], since: str, *, color: bool, width: int) -> str:
    """What became of applications since a revision, as text."""
    lines: list[Text] = []
    for number, change in enumerate(changes):
        if number:
            lines.append(Text())
        lines.extend(_changed(change))
    if not changes:
        lines.append(Text(f"No application has other middleware than in {visible(since)}."))
    return _printed(lines, color=color, width=width)


def _printed(lines: Iterable[Text], *, color: bool, width: int) -> str:
    page = io.StringIO()
    console = Console(
        file=page,
        width=width,
        force_terminal=color,
        color_system="standard" if color else None,
        no_color=not color,
        highlight=False,
        legacy_windows=False,
    )
    for line in lines:
        console.print(line, soft_wrap=True)
    return "".join(f"{line.rstrip()}\n" for line in page.getvalue().splitlines())


def place(spot: Spot) -> str:
    """A place as people read it."""
    return f"{visible(spot.path)}:{spot.line}"


def places(spots: Sequence[Spot], path: str = "") -> str:
    """Places in a row; of one that is in the same file as the one before it, or in `path`, only the line."""
    said = []
    for spot in spots:
        said.append(f"line {spot.line}" if spot.path == path else place(spot))
        path = spot.path
    return ", ".join(said)


def _application(app: AppView, bars: str, width: int) -> Iterator[Text]:
    title = f"any application that {app.name} is handed" if app.handed else app.name
    yield Text.assemble((bars, "dim"), (visible(title), "bold"), "  ", (place(app.spot), "cyan"))
    yield from _words(", ".join(_about(app)), bars + "  ", width)
    for note in app.notes:
        yield from _words(note, bars + "  ", width, "yellow")
    inner = yield from _nodes(app, bars, width)
    core = "the rest of the application" if app.handed else "the application"
    yield Text.assemble((inner, "dim"), ("● ", "bold"), (core, "bold"))
    if app.sees:
        yield from _words(f"sees {_parts(app.sees)}", inner + "  ", width)
    for mounted in app.mounted:
        yield from _words("mounted in it:", inner + "  ", width)
        yield from _application(mounted, inner + "  ", width)
    closed = inner[len(bars) :].replace("│ ", "┴─")
    if closed:
        yield Text(f"{bars}╰{closed[1:]}", "dim")


def _about(app: AppView) -> Iterator[str]:
    if app.handed:
        yield "nobody is known to call it"
        return
    yield app.framework
    yield _FOR[app.impact]
    if app.via:
        yield f"set up from {places(app.via)}"
    if app.named:
        yield f"named in {places(app.named)}"
    if app.others:
        yield f"and from {counted(app.others, 'more place')}"


def _nodes(app: AppView, bars: str, width: int) -> Generator[Text, None, str]:
    """The layers, each one bracket further in; gives what stands left of whatever is inside all of them."""
    column = _column(app.nodes, len(bars))
    for node in app.nodes:
        if isinstance(node, LayerView):
            yield _layer(node, bars, "╭ ", column)
            bars += "│ "
            yield from _details(node, bars + "  ", width, app.via)
        else:
            yield from _choice(node, bars, column, width, app.via)
    return bars


def _choice(choice: ChoiceView, bars: str, column: int, width: int, way: Sequence[Spot]) -> Iterator[Text]:
    """Alternatives stand in one block: which of them goes round what is inside is not known."""
    for when, spot, nodes in _arms(choice, ()):
        label = f"if {' and '.join(when)}" if when else "where nothing fails"
        yield Text.assemble((bars, "dim"), ("┊ ", "yellow"), (visible(label), "yellow"), (f"  {place(spot)}", "dim"))
        for node in nodes:
            if isinstance(node, LayerView):
                yield _layer(node, f"{bars}┊   ", "", column)
                yield from _details(node, f"{bars}┊     ", width, way)
            else:
                yield from _choice(node, f"{bars}┊   ", column, width, way)


def _arms(choice: ChoiceView, under: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Spot, Sequence[NodeView]]]:
    """The alternatives that have a layer: that the others have none goes without saying. What is decided right inside
    of another decision is told with it."""
    for arm in choice.arms:
        when = (*under, arm.when) if arm.when else under
        if len(arm.nodes) == 1 and isinstance(arm.nodes[0], ChoiceView):
            yield from _arms(arm.nodes[0], when)
        elif arm.nodes:
            yield when, choice.spot, arm.nodes


def _layer(layer: LayerView, bars: str, mark: str, column: int) -> Text:
    name = visible(layer.name)
    line = Text.assemble((bars + mark, "dim"), (name, "dim" if layer.spot is None else "bold"))
    line.append(" " * max(2, column - cells(bars + mark + name)))
    if layer.spot is None:
        return line.append("the framework's own", "dim")
    line.append(place(layer.spot), "cyan")
    return line.append(f"  {layer.hook}", "dim") if layer.hook else line


def _details(layer: LayerView, bars: str, width: int, way: Sequence[Spot]) -> Iterator[Text]:
    """What there is to say of a layer. `way` are the calls that lead to the application."""
    shared = 0
    while shared < min(len(way), len(layer.via)) and way[shared] == layer.via[shared]:
        shared += 1
    if layer.via[shared:]:
        yield from _words(f"by way of {places(layer.via[shared:])}", bars, width)
    if layer.sets:
        yield from _words(f"sets {_parts(layer.sets)}", bars, width)
    blind = {one.part for one in layer.unseen}
    reads = tuple(part for part in layer.reads if part not in blind)
    if reads:
        yield from _words(f"reads {_parts(reads)}", bars, width)
    if layer.unseen:
        said = "; ".join(
            f"{_parts(parts)} ({visible(provider)})" for (provider, _), parts in by_provider(layer.unseen).items()
        )
        yield from _words(f"cannot see {said}", bars, width)
        too_early = [part for part in layer.reads if part in blind]
        if too_early:
            yield from _words(f"but reads {_parts(too_early)}", bars, width, "red")


def by_provider(unseen: Iterable[Unseen]) -> dict[tuple[str, Spot], list[str]]:
    """What a layer cannot see, by the layer that sets it and the place where that is added."""
    found: dict[tuple[str, Spot], list[str]] = {}
    for one in unseen:
        found.setdefault((one.provider, one.spot), []).append(one.part)
    return found


def _parts(parts: Sequence[str]) -> str:
    return ", ".join(f"{_PART}{visible(part)}" for part in parts)


def _words(text: str, bars: str, width: int, style: str = "dim") -> Iterator[Text]:
    for line in wrapped(text, max(width, len(bars) + 30), bars, bars):
        yield Text.assemble((line[: len(bars)], "dim"), (line[len(bars) :], style))


def _column(nodes: Sequence[NodeView], depth: int) -> int:
    """The column at which the places begin."""
    widest = 0
    for node in nodes:
        if isinstance(node, LayerView):
            widest = max(widest, depth + 2 + cells(visible(node.name)))
            depth += 2
        else:
            for _, _, inner in _arms(node, ()):
                widest = max(widest, _column(inner, depth + 2) - 2)
    return min(widest, _WIDEST) + 2


# Changes

_MARKS: Final = {
    "gone": ("-", "red"),
    "added": ("+", "green"),
    "moved": ("~", "yellow"),
    "conditional": ("?", "yellow"),
}


def _changed(change: AppChange) -> Iterator[Text]:
    app = change.now or change.before
    assert app is not None
    word = {"gone": "is gone", "added": "is new", "changed": "has other layers"}[change.change]
    yield Text.assemble((visible(change.name), "bold"), f" {word}  ", (place(app.spot), "cyan"))
    for layer in change.layers:
        yield _layer_change(layer)
    yield Text("    ● the application", "bold")


def _layer_change(layer: LayerChange) -> Text:
    mark, style = _MARKS.get(layer.change, (" ", ""))
    spot = layer.now or layer.before
    line = Text.assemble((f"  {mark} {visible(layer.name)}", style or "dim"))
    if spot is not None:
        line.append("  ").append(place(spot), "cyan" if style else "dim")
    words = change_words(layer)
    if words:
        line.append(f"  {words}", style)
    return line


def change_words(layer: LayerChange) -> str:
    """What became of a layer, in words; empty where nothing did."""
    when = " and ".join(map(visible, layer.when_now or ()))
    before = " and ".join(map(visible, layer.when_before))
    if layer.change == "gone":
        return "no longer there" + (f"; it was if {before}" if before else "")
    if layer.change == "added":
        return f"new, if {when}" if when else "new"
    if layer.change == "moved":
        return "stands elsewhere among the layers"
    if layer.change == "conditional":
        return f"now only if {when}" if when else f"now always; it was if {before}"
    return ""
