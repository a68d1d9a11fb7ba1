"""Where a module or a name went: what the tree has, which commit took it away, and what took its place."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from guard.cache import Cache
from guard.checks.layout import Target
from guard.checks.modules import FAMILY
from guard.checks.roots import parent_of
from guard.history.answer import Answer, Removed, Verdict
from guard.history.bulk import BulkHistory
from guard.history.commits import History, Step, Unseen
from guard.history.contents import Contents
from guard.history.files import file_replacements
from guard.history.past import Past, Removal, past_of, paths_below, uncommitted
from guard.history.successors import Signs
from guard.program import Program
from guard.where import Certainty, Place, Replacement, Role, dotted_below, where

_DEEPEST: Final = 4
"""Moves that are followed one after another."""
_MOST: Final = 8
"""Replacements in an answer."""
_STARS: Final = 4
_MOST_VERSIONS: Final = 400
_MOST_ONCE: Final = 2
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z][a-z0-9]+|[a-z0-9]+")


class Tracer:
    """Answers questions about one tree. To be closed: it holds a git process, and what the next run can use."""

    def __init__(
        self, program: Program, cache: Cache, *, head: str = "", why_no_history: str = "", in_bulk: bool = False
    ) -> None:
        """`head` is the commit that the tree is, or is built on; without it there is no history. `in_bulk` is for very
        many questions: each is answered from less, and may be answered less surely."""
        self._program = program
        self._modules = program.linked(FAMILY)
        self._where = where(program)
        git = program.tree.git
        self._in_bulk = in_bulk
        kind = BulkHistory if in_bulk else History
        self._history = kind(git, head) if git is not None and head else None
        self._no_history = why_no_history
        self._contents = Contents(git, program.tree, cache, program.config.python_limit)
        self._own: Step | None = None
        self._answers: dict[tuple[str, str, str], Answer] = {}

    def close(self) -> None:
        """Let go of git, and keep what was learned of old contents."""
        self._contents.close()

    def answer(self, module: str, name: str, origin: str = "") -> Answer:
        """What has become of `name` of `module`, or of the module where there is no name; absolute, dotted. `origin` is
        the file that asks: its roots are looked in first, and modules are named as it can import them."""
        return self._answer(module, name, origin, 0)

    def _answer(self, module: str, name: str, origin: str, depth: int) -> Answer:
        key = (module, name, origin)
        if key not in self._answers:
            # Whoever comes back to where he began learns nothing.
            self._answers[key] = Answer(module=module, name=name, verdict=Verdict.UNKNOWN)
            self._answers[key] = self._find(module, name, origin, depth)
        return self._answers[key]

    def _find(self, module: str, name: str, origin: str, depth: int) -> Answer:
        targets = self.targets(module, origin)
        there = tuple(self._there(targets, name))
        if there:
            return Answer(module=module, name=name, verdict=Verdict.THERE, places=there)
        in_tree = self._where.replacements(module, name, origin)
        if name and not depth and not self._in_bulk and all(one.certainty is Certainty.POSSIBLE for one in in_tree):
            alike = self._where.similar(module, name, origin)
            in_tree += tuple(one for one in alike if not in_tree or one.module == module)
        if self._history is None:
            unseen = (self._no_history,) if self._no_history else ()
            return _answer(module, name, None, in_tree, Verdict.UNKNOWN, unseen)
        try:
            past = self._past(self._history, module, name, targets, origin)
            removal = past.removal
            if removal is None:
                return self._without_removal(self._history, past, module, name, origin, in_tree, depth)
            removed = self._removed(self._history, removal, module, name)
            found = self._successors(self._history, removal, name, origin, in_tree, depth)
        except Unseen as unseen:
            return _answer(module, name, None, in_tree, Verdict.UNKNOWN, (str(unseen), *self._cut()))
        return _answer(module, name, removed, found, Verdict.REMOVED, self._cut())

    def modules_once_with(self, name: str) -> list[str]:
        """Modules that bound a name in some earlier commit, the youngest first. They are looked for only in files whose
        own names have its longest word: where the tree does not have the name, that is all that there is to go by."""
        if self._history is None:
            return []
        word = max((word.lower() for word in _WORD.findall(name)), key=len, default="")
        found: dict[str, None] = {}
        looked = 0
        for step in self._history.steps([f"*{word}*.py"], anywhere=True) if len(word) > 3 else ():
            for change in step.changes:
                looked += 1
                if looked <= _MOST_VERSIONS and any(self._contents.binds(old, name) for old in change.old):
                    found[dotted_below("", change.path)] = None
        return [module for module in found if module][:_MOST_ONCE]

    # Today

    def targets(self, module: str, origin: str) -> list[Target]:
        """What a dotted name leads to in the tree, from wherever it can be imported."""
        if origin:
            resolution = self._modules.resolve(origin, 0, module)
            if resolution.targets:
                return list(resolution.targets)
        layout, parts = self._modules.layout, module.split(".")
        found: dict[Target, None] = {}
        for root in self._roots(module, origin):
            led = layout.descend(root, parts)
            if isinstance(led, Target):
                found[led] = None
        return list(found)

    def _roots(self, module: str, origin: str) -> list[str]:
        """The folders to look for a module in: those that are known to be roots and have its first part; else all that
        have it; else all that are known."""
        layout, top = self._modules.layout, module.partition(".")[0]
        certain, possible = layout.roots.of(origin or "x.py")
        known = list(dict.fromkeys((*certain, *possible, *layout.roots.anybody)))
        having = [root for root in known if layout.step(root, top) is not None]
        if having:
            return having
        holders = {parent_of(folder) for folder in layout.folders if posixpath.basename(folder) == top}
        holders.update(parent_of(path) for path in layout.files if posixpath.basename(path) == f"{top}.py")
        return sorted(holders) or known

    def _there(self, targets: Sequence[Target], name: str) -> Iterator[Place]:
        """Where a name, or a module, is bound among the targets. A module that may bind any name counts."""
        by_path = {place.path: place for place in self._where.places(name)} if name else {}
        for target in targets:
            if not name:
                yield Place(target.path, 1, "module", Role.DEFINITION, target.path)
            elif self._modules.binds(target, name):
                below = self._modules.layout.folder_of(target)
                step = self._modules.layout.step(below, name) if below is not None else None
                place = by_path.get(target.path) or (by_path.get(step.path) if step is not None else None)
                yield place or Place(target.path, 1, "name", Role.DEFINITION)

    # Before

    def _past(self, history: History, module: str, name: str, targets: Sequence[Target], origin: str) -> Past:
        """What the history of the module's file says; where it has none, and the name may be a module of its own below
        a package, what the history of that one says."""
        own = self._uncommitted(history)
        roots = self._roots(module, origin)
        paths = list(dict.fromkeys((*(t.path for t in targets if t.kind != "namespace"), *paths_below(roots, module))))
        past = past_of(history, self._contents, own, paths, name)
        if past.removal is None and name:
            below = past_of(history, self._contents, own, paths_below(roots, f"{module}.{name}"), "")
            if below.removal is not None:
                return below
        if past.removal is None and not past.versions:
            if not self._is_known(module):
                return past_of(history, self._contents, own, self._anywhere(history, module), name)
            if not name:
                return self._folder(history, roots, module)
        return past

    def _is_known(self, module: str) -> bool:
        """Whether the tree has anything by the first part of the name."""
        top = module.partition(".")[0]
        return any(self._modules.layout.step(root, top) is not None for root in self._roots(module, ""))

    def _anywhere(self, history: History, module: str) -> list[str]:
        """The files of that module below any folder, in any commit, for one of which today's tree has no root."""
        steps = history.steps(paths_below([""], module), anywhere=True)
        return sorted({change.path for step in steps for change in step.changes})

    def _folder(self, history: History, roots: Sequence[str], module: str) -> Past:
        """The past of a folder without `__init__.py`: the last commit that deleted a Python file in it."""
        folders = [f"{root}/{module.replace('.', '/')}" if root else module.replace(".", "/") for root in roots]
        for step in history.steps(folders):
            for change in step.changes:
                if change.path.endswith(".py") and not change.new and all(change.old):
                    parent = history.commit(step.commit).parents[0]
                    return Past(Removal(step.commit, parent, parent_of(change.path), "", "", None), 1)
        return Past()

    def _uncommitted(self, history: History) -> Step:
        if self._own is None:
            committed = getattr(self._program.tree, "revision", "") == history.head
            self._own = Step("", ()) if committed else uncommitted(history, self._program.tree)
        return self._own

    def _without_removal(
        self,
        history: History,
        past: Past,
        module: str,
        name: str,
        origin: str,
        in_tree: tuple[Replacement, ...],
        depth: int,
    ) -> Answer:
        """The answer where no commit is known to have taken it away: never there, or cannot be told."""
        cut = self._cut()
        if cut:
            return _answer(module, name, None, in_tree, Verdict.UNKNOWN, cut)
        if name and past.stars and depth < _DEEPEST:
            for path, level, taken in past.stars[:_STARS]:
                through = self._answer(_absolute(path, level, taken), name, path, depth + 1)
                if through.verdict in (Verdict.THERE, Verdict.MOVED, Verdict.REMOVED):
                    return self._through(module, name, through, f"it came by `from {'.' * level}{taken} import *`")
        if name and past.open:
            why = f"{module} could bind names that its text did not show"
            return _answer(module, name, None, in_tree, Verdict.UNKNOWN, (why,))
        return _answer(module, name, None, in_tree, Verdict.NEVER, ())

    def _cut(self) -> tuple[str, ...]:
        """Why the history may hold more than what was seen of it."""
        found = []
        if self._history is not None and self._history.is_shallow:
            found.append("this clone is shallow, so older commits are not in it; run: git fetch --unshallow")
        if self._contents.missing:
            number = self._contents.missing
            found.append(
                f"{number:,} old file{'s are' if number > 1 else ' is'} not in this repository, or cannot be read"
                + ("; run: git fetch --refetch --no-filter" if self._history and self._history.git.is_partial else "")
            )
        return tuple(found)

    def _removed(self, history: History, removal: Removal, module: str, name: str) -> Removed:
        kind = removal.bound.kind if removal.bound is not None else "module"
        if removal.bound is None or not removal.after:
            how = "deleted the file" if removal.before else "deleted the folder's last Python file"
        elif kind == "import":
            how = "took the import out of the file"
        else:
            how = f"took the {kind} out of the file"
        return Removed(
            commit=history.commit(removal.commit) if removal.commit else None,
            path=removal.path,
            line=removal.bound.line if removal.bound is not None else 0,
            kind=kind,
            how=how,
        )

    # After

    def _successors(
        self,
        history: History,
        removal: Removal,
        name: str,
        origin: str,
        in_tree: tuple[Replacement, ...],
        depth: int,
    ) -> tuple[Replacement, ...]:
        """What took its place, with what the tree alone has to say behind it."""
        step = (
            Step(removal.commit, history.changed_by(removal.commit)) if removal.commit else self._uncommitted(history)
        )
        listed = {(one.path, one.name): one for one in in_tree}
        found: list[Replacement] = []
        vanished: Iterator[tuple[str, str, tuple[str, ...]]] = iter(())
        if removal.bound is None:
            found += file_replacements(self._where, self._program.tree, self._contents, removal, step, origin)
            vanished = self._moved_on(removal, step)
        elif removal.bound.kind == "import" or removal.bound.alias:
            found += self._other_name(removal, name, origin, depth)
        else:
            few = self._in_bulk
            signs = Signs(self._modules, self._where, history, self._contents, removal, step, name, by_bodies=few)
            found += signs.replacements(listed, origin)
            vanished = signs.moved_on()
        if depth < _DEEPEST and not any(one.certainty is Certainty.CERTAIN for one in found):
            for path, other, reasons in vanished:
                found += self._onward(path, other, reasons, origin, depth)
        told = {(one.path, one.name) for one in found}
        return (*found, *(one for one in in_tree if (one.path, one.name) not in told))

    def _other_name(self, removal: Removal, name: str, origin: str, depth: int) -> Iterator[Replacement]:
        """What a name led to that the module only imported, or gave to something else of its own."""
        bound = removal.bound
        assert bound is not None
        module, taken, reason = dotted_below("", removal.path), bound.alias, f"it was another name for {bound.alias}"
        if bound.alias:
            first, _, rest = bound.alias.partition(".")
            meant = self._contents.outline(removal.before).names.get(first)
            if meant is None or (rest and meant.kind != "import"):
                return
            if meant.kind == "import":
                bound, taken = meant, ".".join(part for part in (meant.name, rest) if part)
                reason += f", which {_written(bound.level, bound.module, bound.name)} had brought"
        else:
            taken, reason = (
                bound.name,
                f"it was only imported there, by {_written(bound.level, bound.module, bound.name)}",
            )
        if bound.kind == "import":
            module = _absolute(removal.path, bound.level, bound.module)
        if "." in taken or depth >= _DEEPEST:
            return
        answer = self._answer(module, taken, removal.path, depth + 1)
        # That it was the same thing is sure; whether people mean it where they now have to say another name is not.
        doubtful = taken != name or self._has_rival(name, module, taken)
        if answer.verdict is Verdict.THERE:
            place = answer.places[0]
            yield Replacement(
                certainty=Certainty.LIKELY if doubtful else Certainty.CERTAIN,
                module=module,
                name=taken,
                kind=place.kind,
                path=place.path,
                line=place.line,
                reasons=(reason,),
            )
        elif (
            bound.kind == "import"
            and not bound.level
            and answer.verdict is Verdict.NEVER
            and not self._is_known(module)
        ):
            yield Replacement(
                certainty=Certainty.LIKELY if doubtful else Certainty.CERTAIN,
                module=bound.module,
                name=taken,
                kind="name",
                path="",
                line=0,
                reasons=(f"{reason}, which is not of this repository",),
            )
        else:
            for one in answer.replacements:
                yield _behind(one, (reason,))

    def _has_rival(self, name: str, module: str, taken: str) -> bool:
        """Whether production code defines `name` somewhere else than where it came from: what it stood for is one
        thing, and what people mean by it today may be another."""
        led = {(target.path, taken) for target in self.targets(module, "")}
        led |= {
            (place.defined_in, place.defined_as) for place in self._where.places(taken) if (place.path, taken) in led
        }
        return any(
            place.role is Role.DEFINITION
            and place.kind != "module"
            and (place.path, name) not in led
            and not self._where.is_test(place.path)
            for place in self._where.places(name)
        )

    def _moved_on(self, removal: Removal, step: Step) -> Iterator[tuple[str, str, tuple[str, ...]]]:
        """The files with the same content that the same commit added, and that have gone since."""
        for change in step.changes:
            if change.new == removal.before and change.new and not self._contents.today(change.path):
                yield change.path, "", (f"its content went to {change.path} in the same commit",)

    def _onward(self, path: str, name: str, reasons: tuple[str, ...], origin: str, depth: int) -> Iterator[Replacement]:
        """What became in turn of what took the place first."""
        answer = self._answer(dotted_below("", path), name, path, depth + 1)
        if answer.verdict is Verdict.MOVED:
            for one in answer.replacements:
                if one.certainty is not Certainty.POSSIBLE:
                    yield _behind(one, reasons)

    def _through(self, module: str, name: str, answer: Answer, reason: str) -> Answer:
        if answer.verdict is Verdict.THERE:
            place = answer.places[0]
            found: tuple[Replacement, ...] = (
                Replacement(
                    certainty=Certainty.CERTAIN,
                    module=answer.module,
                    name=name,
                    kind=place.kind,
                    path=place.path,
                    line=place.line,
                    reasons=(reason,),
                ),
            )
            return _answer(module, name, None, found, Verdict.REMOVED, answer.unseen)
        found = tuple(_behind(one, (reason,)) for one in answer.replacements)
        return _answer(module, name, answer.removed, found, Verdict.REMOVED, answer.unseen)


def _answer(
    module: str,
    name: str,
    removed: Removed | None,
    found: Sequence[Replacement],
    verdict: Verdict,
    unseen: tuple[str, ...],
) -> Answer:
    """The answer with its replacements in order: what is certain first, else as they come."""
    ranked = sorted(found, key=lambda one: one.certainty.rank)[:_MOST]
    if verdict is Verdict.REMOVED and ranked and ranked[0].certainty is not Certainty.POSSIBLE:
        verdict = Verdict.MOVED
    return Answer(module=module, name=name, verdict=verdict, removed=removed, replacements=tuple(ranked), unseen=unseen)


def _behind(one: Replacement, reasons: tuple[str, ...]) -> Replacement:
    """A replacement that was reached by way of something else."""
    return msgspec.structs.replace(one, reasons=(*reasons, *one.reasons))


def _absolute(path: str, level: int, module: str) -> str:
    """The module that an import in `path` names, as a dotted path; from the top of the tree where it is relative."""
    if not level:
        return module
    folder = parent_of(path)
    for _ in range(level - 1):
        folder = parent_of(folder)
    return ".".join(part for part in (*folder.split("/"), module) if part)


def _written(level: int, module: str, name: str) -> str:
    return f"`from {'.' * level}{module} import {name}`" if name else f"`import {module}`"
