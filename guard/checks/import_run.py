"""What happens when the modules of a circle are imported, one of them first: Python's import system in small.

Nothing is run. A module is its import statements and the attributes of modules that it reads while it is executed, in
order, and the line from which each name is bound. A name that may be bound in any way counts as bound.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from typing import Final

import msgspec

from guard.checks.import_graph import ImportGraph, Step
from guard.checks.layout import Target
from guard.checks.module_attributes import ModuleAttributes, is_special
from guard.checks.module_facts import (
    ANY_TIME,
    BRANCHED,
    LAZY,
    MAIN,
    PLATFORM,
    TYPING_ONLY,
    UNBOUND,
    Import,
    ModuleFacts,
)
from guard.checks.module_uses import AT_IMPORT, IN_BRANCH, Use, UsedModule
from guard.checks.packing import unpack

_DONE: Final = -1
"""In place of the line that a module is being executed at."""


class Hop(msgspec.Struct, frozen=True):
    """A module that is being imported, and the line that imports the next one."""

    path: str
    line: int


class Failure(msgspec.Struct, frozen=True):
    """A name that is taken from a module which has not come to bind it yet."""

    path: str
    line: int
    column: int
    end_line: int
    end_column: int
    module: str
    """The file of the module that is still being imported."""
    name: str
    error: str
    """`ImportError` or `AttributeError`."""
    hops: tuple[Hop, ...]
    """From that module to the one that fails, with the lines that import the next."""

    @property
    def place(self) -> tuple[str, int, int, str, str]:
        """What makes two failures the same."""
        return self.path, self.line, self.column, self.module, self.name


class _Failed(Exception):
    def __init__(self, failure: Failure) -> None:
        super().__init__()
        self.failure = failure


class _Read(msgspec.Struct, frozen=True):
    """An attribute that is read while the module is executed."""

    use: Use
    target: Target


_Action = Step | _Read
_Loading = Generator[str, None, None]


class Circle:
    """The modules of one circle of imports, ready to be imported."""

    def __init__(self, members: tuple[str, ...], graph: ImportGraph, attributes: ModuleAttributes) -> None:
        self.members: Final = frozenset(members)
        self._graph = graph
        self._modules = graph.modules
        self._attributes = attributes
        self._actions: Final[Mapping[str, tuple[_Action, ...]]] = {
            path: tuple(self._find_actions(path)) for path in members
        }

    def _find_actions(self, path: str) -> list[_Action]:
        found: list[tuple[int, int, _Action]] = []
        for step in self._graph.steps(path):
            inside = not self.members.isdisjoint(step.chain) or step.target in self.members
            if inside or any(taken.submodule in self.members for taken in step.taken):
                found.append((step.statement.line, step.alias, step))
        uses = self._attributes.facts.get(path)
        for used in uses.used if uses is not None else ():
            if used.at_import:
                found += [(read.use.line, 1 << 16, read) for read in self._reads(path, used)]
        found.sort(key=lambda action: action[:2])
        return [action for _, _, action in found]

    def _reads(self, path: str, used: UsedModule) -> Iterator[_Read]:
        target = self._attributes.module_named(path, used.level, used.module, used.name)
        if target is not None and target.path != path:
            for use in unpack(used.uses, tuple[Use, ...]):
                if use.flags & AT_IMPORT:
                    yield _Read(use, target)

    @property
    def is_ambiguous(self) -> bool:
        """Whether some member is imported by two names that differ in more than dots, so that it is two modules."""
        roots: dict[str, set[str]] = {}
        for actions in self._actions.values():
            for action in actions:
                if isinstance(action, Step) and action.root is not None and action.chain:
                    roots.setdefault(action.chain[-1], set()).add(action.root)
        return any(len(found) > 1 for found in roots.values())

    def failure(self, first: str, *, certain: bool, as_script: bool = False) -> Failure | None:
        """The failure when `first` is imported before all others, or run as a script; None where it can be imported.

        With `certain`, without the statements that may not be carried out.
        """
        return _Run(self, certain).start(first, as_script)

    def sure_failure(self, first: str, *, as_script: bool = False) -> Failure | None:
        """The failure that happens whatever the branches do that may go either way."""
        found = self.failure(first, certain=True, as_script=as_script)
        if found is None:
            return None
        again = self.failure(first, certain=False, as_script=as_script)
        return found if again is not None and again.place == found.place else None

    # For `_Run`

    def actions(self, path: str) -> tuple[_Action, ...]:
        """What a member does, in order."""
        return self._actions[path]

    def facts(self, path: str) -> ModuleFacts:
        """The facts of a member."""
        return self._modules.facts[path]

    def binds_by(self, path: str, name: str, line: int, busy: Step | None) -> bool:
        """Whether a member may have bound `name` before it comes to `line`, at which it is busy with a statement."""
        facts = self._modules.facts[path]
        if (
            is_special(name)
            or facts.open
            or facts.extends_path
            or (name in facts.names and self._bound(facts, name, line, busy))
        ):
            return True
        if self._modules.is_set_from_outside(path, name) or self._attributes.is_written(path, name):
            return True
        return any(self._star_may_bind(path, statement, name) for statement in facts.imports if statement.line < line)

    def _star_may_bind(self, path: str, statement: Import, name: str) -> bool:
        if statement.aliases[0].name != "*" or statement.flags & LAZY:
            return False
        resolution = self._modules.resolve(path, statement.level, statement.module)
        if resolution.missing is not None:
            return False
        return not resolution.targets or any(self._modules.binds(target, name) for target in resolution.targets)

    def binds(self, target: Target, name: str) -> bool:
        """Whether a module that has been imported has a name by its own code."""
        facts = self._modules.facts.get(target.path)
        return facts is not None and bool(facts.open or facts.stars or name in facts.names)

    def _bound(self, facts: ModuleFacts, name: str, line: int, busy: Step | None) -> bool:
        bound = facts.names[name]
        if bound.flags & (UNBOUND | TYPING_ONLY):
            return False
        if bound.flags & ANY_TIME or bound.line < line:
            return True
        return bound.line == line and not _binds(busy, name)

    def below(self, target: Target, name: str) -> Target | None:
        """The module that an attribute of a module is."""
        return self._attributes.below(target, name)

    def submodule(self, target: Target, name: str) -> str:
        """The file of a submodule; empty where there is none of that name."""
        folder = self._modules.layout.folder_of(target)
        found = self._modules.layout.step(folder, name) if folder is not None else None
        return found.path if found is not None else ""


def _binds(step: Step | None, name: str) -> bool:
    """Whether a statement itself is what binds a name, so that it is not bound while the statement is carried out."""
    if step is None:
        return False
    statement = step.statement
    if statement.level >= 0:
        return any(alias.bound == name for alias in statement.aliases)
    return any(
        (alias.asname or alias.name.partition(".")[0]) == name for alias in statement.aliases[step.alias :]
    ) and not any((alias.asname or alias.name.partition(".")[0]) == name for alias in statement.aliases[: step.alias])


class _Run:
    """One import of one member, in a process in which no member is loaded."""

    def __init__(self, circle: Circle, certain: bool) -> None:
        self._circle = circle
        self._certain = certain
        self._lines: dict[str, int] = {}
        """Every module that stands in `sys.modules`, with the line that it is executed at."""
        self._busy: dict[str, Step | None] = {}
        self._stack: list[str] = []

    def start(self, first: str, as_script: bool) -> Failure | None:
        """Import a member, or run it as a script: then it is not in `sys.modules` under its own name."""
        try:
            self._drive(self._execute(first, as_script=as_script) if as_script else self._load_one(first))
        except _Failed as failed:
            return failed.failure
        return None

    def _load_one(self, path: str) -> _Loading:
        for package in self._above(path):
            if package not in self._lines:
                yield package
        if path not in self._lines:
            yield path

    def _above(self, path: str) -> list[str]:
        found = []
        folder = path.rpartition("/")[0]
        while folder:
            init = f"{folder}/__init__.py"
            if init in self._circle.members and init != path:
                found.append(init)
            folder = folder.rpartition("/")[0]
        return found[::-1]

    def _drive(self, loading: _Loading) -> None:
        """Carry out what a generator asks for: every path that it gives is a module to execute.

        It has a stack of its own: circles may be longer than the interpreter's stack is deep.
        """
        work: list[tuple[str, _Loading]] = [("", loading)]
        failed: _Failed | None = None
        while work:
            path, running = work[-1]
            try:
                wanted = running.throw(failed) if failed is not None else next(running)
            except StopIteration:
                failed = None
                work.pop()
                if path:
                    self._lines[path] = _DONE
                    self._stack.pop()
            except _Failed as error:
                failed = error
                work.pop()
                if path:
                    del self._lines[path]
                    self._stack.pop()
            else:
                failed = None
                self._lines[wanted] = 0
                self._stack.append(wanted)
                work.append((wanted, self._execute(wanted)))
        if failed is not None:
            raise failed

    def _execute(self, path: str, *, as_script: bool = False) -> _Loading:
        passed_over: set[int] = set()
        """The `try` statements whose body has failed."""
        for action in self._circle.actions(path):
            if isinstance(action, _Read):
                if self._certain and action.use.flags & IN_BRANCH:
                    continue
                if not as_script:
                    self._lines[path] = action.use.line
                    self._busy[path] = None
                self._read(path, action)
                continue
            statement = action.statement
            flags = statement.flags & ~(MAIN | BRANCHED if as_script and statement.flags & MAIN else 0)
            if flags & MAIN or (self._certain and flags & (BRANCHED | PLATFORM)):
                continue
            if not passed_over.isdisjoint(statement.guards):
                continue
            if not as_script:
                self._lines[path] = statement.line
                self._busy[path] = action
            try:
                yield from self._import(path, action)
            except _Failed as failed:
                guard = self._swallowed_by(path, statement.guards, failed.failure.error)
                if guard is None:
                    raise
                passed_over.add(guard)

    def _swallowed_by(self, path: str, guards: tuple[int, ...], error: str) -> int | None:
        """The innermost `try` around a statement that goes on after an error, or may."""
        facts = self._circle.facts(path)
        for number in reversed(guards):
            guard = facts.guards[number]
            names = {name.rpartition(".")[2] for name in guard.catches}
            if guard.reraises:
                continue
            if not names or not names.isdisjoint({error, "Exception", "BaseException"}):
                return number
            if any(not name.endswith("Error") for name in names):
                return number  # an exception that cannot be told: perhaps it is this one
        return None

    def _import(self, path: str, step: Step) -> _Loading:
        for file in step.chain:
            if file in self._circle.members and file not in self._lines:
                yield file
        for taken in step.taken:
            if taken.submodule not in self._circle.members or taken.submodule in self._lines:
                continue
            # Python looks for the attribute first, and imports the submodule where there is none.
            if not taken.own or (self._is_busy(step.target) and not self._is_bound(step.target, taken.name)):
                yield taken.submodule
        for taken in step.taken:
            if taken.name == "*" or taken.submodule:
                continue
            if step.target != path and self._is_busy(step.target) and not self._is_bound(step.target, taken.name):
                alias = step.statement.aliases[taken.index]
                place = (alias.line, alias.column, alias.end_line, alias.end_column)
                raise _Failed(self._failure(path, place, step.target, taken.name, "ImportError"))

    def _read(self, path: str, read: _Read) -> None:
        here: Target | None = read.target
        for attribute in read.use.attributes.split("."):
            if here is None or here.path == path:
                return
            unfinished = self._unfinished(here, attribute)
            if unfinished:
                use = read.use
                place = (use.line, use.column, use.end_line, use.end_column)
                raise _Failed(self._failure(path, place, unfinished, attribute, "AttributeError"))
            here = self._circle.below(here, attribute)

    def _unfinished(self, target: Target, attribute: str) -> str:
        """The file of the module that is still being imported, for which an attribute is not there yet; empty where it
        is there, or may be."""
        submodule = self._circle.submodule(target, attribute)
        busy = self._is_busy(target.path)
        if submodule and not self._is_busy(submodule):
            return ""
        if busy and self._is_bound(target.path, attribute):
            return ""
        if submodule:
            # A package has a submodule as its attribute once that is imported, not before.
            return "" if not busy and self._circle.binds(target, attribute) else submodule
        return target.path if busy else ""

    def _is_busy(self, path: str) -> bool:
        return self._lines.get(path, _DONE) != _DONE

    def _is_bound(self, path: str, name: str) -> bool:
        return self._circle.binds_by(path, name, self._lines[path], self._busy.get(path))

    def _failure(self, path: str, place: tuple[int, int, int, int], module: str, name: str, error: str) -> Failure:
        begin = self._stack.index(module)
        hops = tuple(Hop(member, self._lines[member]) for member in self._stack[begin:-1])
        return Failure(path, *place, module, name, error, hops)
