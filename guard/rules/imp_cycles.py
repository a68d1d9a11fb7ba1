"""Circles of imports."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from guard.checks.import_cycles import Breaks, Cycle, find_cycles
from guard.checks.import_run import Hop
from guard.checks.modules import FAMILY
from guard.model import Impact, Related, Severity, Span, Violation
from guard.program import Program
from guard.registry import rule
from guard.rules.imp_starts import DEPLOYED, TEST, kind_of, starts_of


def cycles_of(program: Program) -> tuple[Cycle, ...]:
    """The circles of imports of a program, found once."""
    found = program.remembered.get("cycles")
    if not isinstance(found, tuple):
        found = program.remembered["cycles"] = tuple(find_cycles(program, starts_of(program)))
    return found


@rule("IMP005", "import-cycle", Severity.ERROR)
def import_cycle(program: Program) -> Iterator[Violation]:
    """Modules that import one another in a circle.

    ## What it does
    Follows the module-level imports of every module in the order in which Python carries them out: packages before
    their modules, a name only behind the line that binds it, submodules wherever they are. It is an error where a name
    is taken from a module that is still being imported and has not come to bind it, when the circle is entered as a
    deployed entry point, a test file or a script enters it, or however it is entered. What comes before a test file
    counts: plugins, each `conftest.py` above it, and Django, which imports settings, applications and models before it
    runs anything. A module that cannot be imported before the others of its circle, which nothing in the tree does, is
    told as information, and so is any other circle.

    ## What breaks in production
    ImportError: "cannot import name … from partially initialized module", or AttributeError for `module.name`. Whether
    it happens depends on which module is imported first, so it comes and goes with unrelated edits.

    ## Bad
    `app/__init__.py`:

    ```python
    ```

    `app/auth.py`:

    ```python
    from app.sockets import Socket

    class User: ...
    ```

    `app/sockets.py`:

    ```python
    from app.auth import User  # <- IMP005

    class Socket: ...
    ```

    `Dockerfile`:

    ```docker
    FROM python:3.12-slim
    CMD ["python", "-m", "app.auth"]
    ```

    ## Good
    `app/__init__.py`:

    ```python
    ```

    `app/auth.py`:

    ```python
    class User: ...
    ```

    `app/sockets.py`:

    ```python
    from app.auth import User

    class Socket: ...
    ```

    ## Configuration
    `entry-points` names what guard does not find by itself.

    ## What it cannot see
    Imports in functions that are called while a module is imported. A name that may be bound before the circle closes,
    by a branch or by a function, counts as bound. In which order Django imports applications: where it may come to the
    circle, only what fails in every order is an error.
    """
    named = program.linked(FAMILY).layout.roots.name_of
    for cycle in cycles_of(program):
        certain = [breaks for breaks in cycle.breaks if breaks.start is not None]
        if not certain and cycle.always:
            certain = list(cycle.breaks)
        yield from (_broken(cycle, breaks, named) for breaks in certain)
        if not certain:
            yield from (_latent(breaks, named) for breaks in cycle.breaks)
        if not cycle.breaks:
            yield _plain(cycle, named)


_Naming = Callable[[str], str]
"""Gives the dotted name of a file of the tree."""


def _shown(hops: Sequence[Hop]) -> str:
    return " -> ".join([f"{hop.path}:{hop.line}" for hop in hops])


def _broken(cycle: Cycle, breaks: Breaks, named: _Naming) -> Violation:
    failure, start = breaks.failure, breaks.start
    ring = f"{_shown((*failure.hops, Hop(failure.path, failure.line)))} -> {failure.module}"
    module = named(failure.module)
    if failure.error == "ImportError":
        what = f"{failure.name} is taken from {module}, which is still being imported"
    else:
        what = f"{failure.name} is read while {module} is still being imported"
    if start is None:
        when = "whichever module is imported first"
        related: tuple[Related, ...] = ()
    elif start.files[-1] == breaks.first_of_start and start.path == start.files[-1]:
        when = f"{'when' if start.script else 'as'} {start.path} is {'run' if start.script else 'imported'} first"
        related = ()
    else:
        more = f" (and {breaks.starts - 1} more)" if breaks.starts > 1 else ""
        when = f"since {start.path}{more} comes to {named(breaks.first_of_start)} first"
        related = (Related(start.path, start.line, f"imports {named(breaks.first_of_start)} before the rest"),)
    hops = tuple(Related(hop.path, hop.line, "imports the next one") for hop in failure.hops)
    deployed = start is None or kind_of(start) == DEPLOYED
    return Violation(
        path=failure.path,
        span=Span(failure.line, failure.column, failure.end_line, failure.end_column),
        message=f"{what}, {when}: {ring}",
        anchor=f"{failure.module} {failure.name}",
        cause=_consequence(breaks, named),
        help=f"Import {failure.name} in the function that needs it, or move it to a module that imports none of these.",
        related=(*hops, *related),
        lazy=not deployed,
        impact=Impact.TESTS if start is not None and kind_of(start) == TEST else None,
        data={
            "module": module,
            "name": failure.name,
            "first": breaks.first_of_start,
            "error": failure.error,
            "cycle": [*(hop.path for hop in failure.hops), failure.path],
        },
    )


def _consequence(breaks: Breaks, named: _Naming) -> str:
    failure, start = breaks.failure, breaks.start
    tail = f"{failure.error}: {named(failure.module)} has not come to bind {failure.name} yet."
    if start is None:
        return f"Importing any module of this circle raises {tail}"
    if kind_of(start) == DEPLOYED:
        return f"The service does not start: {tail}"
    if kind_of(start) == TEST:
        return f"pytest cannot collect {start.files[-1]} by itself: {tail}"
    return f"Running {start.path} raises {tail}"


def _latent(breaks: Breaks, named: _Naming) -> Violation:
    """A way to break a circle that nothing in the tree takes, told at the module that cannot be imported first."""
    failure = breaks.failure
    here, *others = failure.hops
    module = named(failure.module)
    others_first = len(breaks.first) - 1
    more = f" (or one of {others_first} others)" if others_first > 1 else " (or another one)" if others_first else ""
    ring = f"{_shown((*failure.hops, Hop(failure.path, failure.line)))} -> {failure.module}"
    return Violation(
        path=here.path,
        span=Span(here.line, 1, here.line, 1),
        message=f"import cycle that fails when {named(breaks.first[0])}{more} is imported before the others: {ring}",
        anchor=f"{failure.module} {failure.name} {failure.path}",
        cause=f"Nothing in this tree imports it first. What does so gets {failure.error}: {module} has not come "
        f"to bind {failure.name} by then.",
        help=f"Import {failure.name} in the function that needs it, or move it to a module that imports none of these.",
        related=(
            *(Related(hop.path, hop.line, "imports the next one") for hop in others),
            Related(failure.path, failure.line, f"takes {failure.name}, which is not bound yet"),
        ),
        severity=Severity.INFO,
        lazy=True,
        data={"module": module, "name": failure.name, "cycle": [*(hop.path for hop in failure.hops), failure.path]},
    )


def _plain(cycle: Cycle, named: _Naming) -> Violation:
    hops = cycle.hops
    first = hops[0]
    size = f"{len(cycle.members)} modules import one another" if len(cycle.members) > len(hops) else "import cycle"
    message = f"{size}: {_shown(hops)} -> {first.path}"
    cause = "It works as long as no module takes a name from one that is still being imported."
    related = [Related(hop.path, hop.line, "imports the next one") for hop in hops[1:]]
    return Violation(
        path=first.path,
        span=Span(first.line, 1, first.line, 1),
        message=message,
        anchor=" ".join(sorted(hop.path for hop in hops)),
        cause=cause,
        help="Move what both need to a third module, or import in the function that needs it.",
        related=tuple(related),
        severity=Severity.INFO,
        lazy=True,
        data={"module": named(first.path), "name": "", "cycle": [hop.path for hop in hops]},
    )
