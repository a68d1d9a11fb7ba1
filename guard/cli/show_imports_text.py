"""How `guard show imports` writes for a person: trees, the most telling first, and long lists cut."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from guard.checks.import_uses import Use
from guard.model import Impact
from guard.module_view import Chain, ModuleView, Step
from guard.report.escape import visible
from guard.report.tally import counted

_HOW: Final = {
    "module": "whenever they are imported",
    "guarded": "in a try that goes on without it",
    "conditional": "in a branch",
    "lazy": "in a function, when that is called",
    "main": "only when they are run as a script",
    "type-checking": "for type checkers only",
}
_IMPACT: Final = {
    Impact.STARTUP: "a deployed process runs it when it starts",
    Impact.RUNTIME: "production code",
    Impact.TESTS: "test code",
    Impact.TOOLING: "tooling",
}
_NAMES: Final = 6
"""Names of one statement that are written out."""
_PLACES: Final = 3
"""Entry points that are named where several do the same."""


def render(view: ModuleView, *, color: bool, width: int, limit: int) -> str:
    """The view as text, at most `width` columns wide. A list is cut behind `limit` entries; 0 cuts none."""
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
    page_of = _Page(view, limit)
    for part in page_of.parts():
        console.print(part, soft_wrap=False)
    # rich fills lines up; nobody wants blanks at their ends.
    return "".join(f"{line.rstrip()}\n" for line in page.getvalue().splitlines())


class _Page:
    """Lays out one view."""

    def __init__(self, view: ModuleView, limit: int) -> None:
        self._view = view
        self._limit = limit

    def parts(self) -> Iterator[Text | Tree]:
        """What is printed, from top to bottom."""
        yield from self._head()
        for tree in (
            self._ways_in(),
            self._broken(),
            self._imported_by(),
            self._taken(),
            self._handed_on(),
            self._imports(),
            self._circle(),
        ):
            if tree is not None:
                yield Text()
                yield tree

    def _head(self) -> Iterator[Text]:
        view = self._view
        yield Text.assemble((visible(view.name), "bold"), "  ", (visible(view.path), "cyan"))
        if not view.parsed:
            yield Text("  could not be parsed: what it imports and defines is not known", "bold red")
        if len(view.names) > 1:
            names = ", ".join(f"{visible(name)} ({counted(number, 'import')})" for name, number in view.names.items())
            yield Text(f"  imported by {len(view.names)} names, each a copy of its own: {names}")
        roots = ", ".join(f"{visible(root)}/" if root else "the top" for root in view.roots)
        yield Text(f"  its own imports are looked for in: {roots or 'no folder that is certain'}")
        yield Text(f"  {view.impact}: {_IMPACT[view.impact]}")
        others = view.breaks_modules - (not _is_test(view))
        tests = view.breaks_test_files - _is_test(view)
        parts = [counted(number, noun) for number, noun in ((others, "module"), (tests, "test file")) if number]
        if parts:
            yield Text(f"  if it could not be imported, neither could {' and '.join(parts)}")

    def _ways_in(self) -> Tree | None:
        view = self._view
        if not view.entry_points:
            return None
        at_start = [chain for chain in view.chains if not chain.lazy]
        title = f"Run at the start of {len(at_start)} of {counted(view.entry_points, 'entry point')}"
        later = len(view.chains) - len(at_start)
        if later:
            title += f", and later by {later}"
        alike: dict[tuple[str, bool, tuple[Step, ...]], list[Chain]] = {}
        for chain in view.chains:
            alike.setdefault((chain.starts, chain.lazy, chain.steps), []).append(chain)
        return self._tree(title, (_chain(chains, view.path) for chains in alike.values()), len(alike))

    def _broken(self) -> Tree | None:
        broken = self._view.broken_by
        if not broken:
            return None
        tree = self._tree(
            "Cannot be imported now",
            (_line(one.path, one.line, f"{visible(one.missing)} is missing") for one in broken),
            len(broken),
        )
        tree.label = Text("Cannot be imported now", "bold red")
        return tree

    def _imported_by(self) -> Tree:
        view = self._view
        files = len({use.path for use in view.imported_by})
        tree = Tree(Text(f"Imported by {counted(files, 'file')}" if files else "Imported by nobody", "bold"))
        for how, words in _HOW.items():
            uses = [use for use in view.imported_by if use.how == how]
            if uses:
                within = len({use.path for use in uses})
                self._fill(tree.add(Text(f"{words}: {within:,}")), (_use(use, view.name) for use in uses), len(uses))
        return tree

    def _taken(self) -> Tree | None:
        view = self._view
        if not view.taken:
            return None
        tree = self._tree("Names that are taken", (), 0)
        for one in view.taken[: self._limit or None]:
            kind = "" if one.kind == "name" else f" {one.kind}"
            where = f", line {one.line}" if one.line else ""
            style = "red" if one.kind == "missing" else "bold"
            label = Text.assemble((visible(one.name), style), f"{kind}{where}: {counted(len(one.users), 'file')}")
            branch = tree.add(label)
            for through, users in one.through.items():
                branch.add(Text(f"{counted(len(users), 'file')} through {visible(through)}"))
        self._rest(tree, len(view.taken))
        if view.not_taken:
            listed = _listed(view.not_taken, self._limit)
            tree.add(Text(f"defined, and taken by nobody by name: {listed}", "dim"))
        return tree

    def _handed_on(self) -> Tree | None:
        found = self._view.handed_on
        if not found:
            return None
        lines = (
            _line(one.path, one.line, f"{_listed(one.names, _NAMES)} to {counted(one.users, 'file')}") for one in found
        )
        return self._tree("Handed on by", lines, len(found))

    def _imports(self) -> Tree:
        view = self._view
        targets: dict[str, list[Use]] = {}
        for use in view.imports:
            targets.setdefault(use.target, []).append(use)
        title = f"Imports {counted(len(targets), 'module')} of this tree" if targets else "Imports nothing of this tree"
        tree = self._tree(title, (_target(target, uses) for target, uses in targets.items()), len(targets))
        if view.others:
            listed = _listed(tuple(view.others), self._limit and 3 * self._limit)
            tree.add(Text(f"from elsewhere: {listed}", "dim"))
        return tree

    def _circle(self) -> Tree | None:
        view = self._view
        if not view.circle:
            return None
        size = f" (of {counted(view.circle_size, 'file')} that import one another)" if view.circle_size > 2 else ""
        title = f"In a circle of imports{size}; the shortest is"
        return self._tree(title, map(_step, view.circle), 0)

    def _tree(self, title: str, lines: Iterable[Text | Tree], total: int) -> Tree:
        tree = Tree(Text(title, "bold"))
        self._fill(tree, lines, total)
        return tree

    def _fill(self, tree: Tree, lines: Iterable[Text | Tree], total: int) -> None:
        """Put the first lines below the tree; all of them where `total` is 0."""
        for number, line in enumerate(lines):
            if total and self._limit and number >= self._limit:
                break
            tree.add(line)
        self._rest(tree, total)

    def _rest(self, tree: Tree, total: int) -> None:
        if 0 < self._limit < total:
            tree.add(Text(f"… and {total - self._limit:,} more (--all)", "dim"))


def _is_test(view: ModuleView) -> bool:
    """Whether the module counts as a test file in what it breaks."""
    return not view.breaks_modules


def _listed(names: Sequence[str], limit: int) -> str:
    shown = ", ".join(map(visible, names[: limit or None]))
    return f"{shown} and {len(names) - limit:,} more" if 0 < limit < len(names) else shown


def _line(path: str, line: int, text: str = "") -> Text:
    place = f"{visible(path)}:{line}" if line else visible(path)
    return Text.assemble((place, "cyan"), f"  {text}" if text else "")


def _use(use: Use, name: str) -> Text:
    names = [name if name == bound else f"{name} as {bound}" for name, bound in use.names]
    as_what = "" if use.module == name else f", as {use.module}"
    words = _listed(names, _NAMES) if names else f"the module{as_what}"
    return _line(use.path, use.line, f"{visible(words)}{f' in {visible(use.symbol)}' if use.symbol else ''}")


def _target(target: str, uses: Sequence[Use]) -> Text:
    names = list(dict.fromkeys(name for use in uses for name, _ in use.names)) or ["the module"]
    hows = list(dict.fromkeys(use.how for use in uses))
    how = "" if hows == ["module"] else f"  ({', '.join(hows)})"
    lines = ", ".join(str(line) for line in dict.fromkeys(use.line for use in uses))
    return Text.assemble((visible(target), "cyan"), f"  {_listed(names, _NAMES)}, line {lines}{how}")


def _step(step: Step) -> Text:
    return _line(step.path, step.line)


def _chain(chains: Sequence[Chain], path: str) -> Tree:
    """The one way that several entry points have."""
    chain = chains[0]
    places = [f"{one.path}:{one.line}" if one.path else "the configuration" for one in chains]
    later = ", when something is called" if chain.lazy else ""
    tree = Tree(Text.assemble((visible(chain.starts), "bold"), f"  {_listed(places, _PLACES)}{later}"))
    for step in chain.steps:
        if step.path != path:
            tree.add(_line(step.path, step.line) if step.line else _line(step.path, 0, "runs the package around it"))
    return tree
