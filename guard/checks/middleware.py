"""Applications and the middleware around them: the stack that each one really has, and what its layers do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Final

from guard.checks import modules
from guard.checks.middleware_collect import collector
from guard.checks.middleware_facts import Facts, Flow
from guard.checks.middleware_frameworks import has_parts
from guard.checks.middleware_profile import Profile, Profiles, Read
from guard.checks.middleware_sources import Sources
from guard.checks.middleware_stack import FunctionAt, Layer, Stack
from guard.checks.middleware_stacks import Bound, stacks
from guard.checks.modules import Definition
from guard.families import Family

if TYPE_CHECKING:
    from guard.program import Program

__all__ = ["FAMILY", "Stacks"]


class Stacks:
    """The middleware of a whole program."""

    def __init__(self, program: Program) -> None:
        self._sources = Sources(program.facts(FAMILY), program.linked(modules.FAMILY))
        self._profiles = Profiles(self._sources)

    @cached_property
    def bound(self) -> Mapping[Stack, tuple[Bound, ...]]:
        """Every stack that some code sets up, in the order of the files, with the variables of modules that hold its
        application."""
        return stacks(self._sources)

    @cached_property
    def all(self) -> tuple[Stack, ...]:
        """Every stack that some code sets up, in the order of the files."""
        return tuple(self.bound)

    @cached_property
    def with_parts(self) -> tuple[Stack, ...]:
        """Those whose requests have the parts that a profile speaks of: a session, a user, a state."""
        return tuple(filter(has_parts, self.all))

    def profile(self, layer: Layer) -> Profile:
        """What a layer reads, provides and answers."""
        return self._profiles.of(layer)

    def flows(self) -> Iterator[tuple[FunctionAt, Flow]]:
        """Everything that touches a request, in the order of the files."""
        for path, facts in self._sources.facts.items():
            for flow in facts.flows:
                yield FunctionAt(path, flow.name), flow

    def flow(self, at: FunctionAt) -> Flow | None:
        """What a function does with the requests that it is handed."""
        return self._sources.flow(at.path, at.name)

    def is_dependency(self, at: FunctionAt, by: Callable[[str], bool]) -> bool:
        """Whether a function stands in a `Depends(…)` of another file that `by` is true for."""
        return any(by(path) for path in self._dependencies.get(at, ()))

    @cached_property
    def _dependencies(self) -> Mapping[FunctionAt, tuple[str, ...]]:
        found: dict[FunctionAt, list[str]] = {}
        for path, facts in self._sources.facts.items():
            for ref in facts.dependencies:
                target = self._sources.follow(path, ref)
                if isinstance(target, Definition):
                    found.setdefault(FunctionAt(target.path, target.name), []).append(path)
        return {at: tuple(paths) for at, paths in found.items()}

    def reads_of(self, at: FunctionAt, param: str) -> Mapping[str, Read]:
        """What a function that is handed a request by that parameter reads of it, also through helpers."""
        return self._profiles.reads_of(at, param)


FAMILY: Final[Family[Facts, Stacks]] = Family("middleware", 13, Facts, Stacks, see_python=collector, letters=("MID",))
"""Set-up code of applications, and request code of Starlette and FastAPI."""
