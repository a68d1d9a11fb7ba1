"""Imports that can never succeed."""

from __future__ import annotations

from collections.abc import Iterator

from guard.checks.breakage import NOT_SURE_TO_RUN, escapes
from guard.checks.broken_imports import BrokenImport
from guard.checks.elsewhere import is_elsewhere
from guard.checks.module_facts import LAZY, MAIN, TYPING, Import
from guard.checks.modules import FAMILY
from guard.impact import reach_of
from guard.mending.imports import mending_of
from guard.model import Related, Severity, Span, Violation
from guard.program import Program
from guard.registry import Depends, rule
from guard.where import Hints, hints_of, shown, taken


def _written(statement: Import, name: str = "") -> str:
    """The import as code, in one normal form, with only the name at fault."""
    if statement.level < 0:
        return f"import {name}"
    return (
        f"from {'.' * statement.level}{statement.module} import {name or ', '.join(a.name for a in statement.aliases)}"
    )


def _span(broken: BrokenImport) -> Span:
    place = broken.alias or broken.statement
    return Span(place.line, place.column, place.end_line, place.end_column)


def _data(broken: BrokenImport, hints: Hints) -> dict[str, object]:
    return {
        "module": shown(broken),
        "name": broken.name,
        "names": taken(broken),
        "candidates": hints.candidates(broken),
    }


def _what_is_missing(broken: BrokenImport) -> str:
    if broken.name:
        where = broken.target.path
        if broken.target.kind == "namespace":
            return f"{shown(broken)} has no module {broken.name} ({where or '.'}/ is a folder without __init__.py)"
        return f"{shown(broken)} does not define {broken.name}"
    if broken.target.kind == "module":
        there = broken.found_parts or broken.target.path
        return f"module {shown(broken)} does not exist: {there} is a module, not a package"
    return f"module {shown(broken)} does not exist"


def _severity(broken: BrokenImport) -> Severity | None:
    return Severity.WARNING if broken.statement.flags & TYPING else None


def _violation(program: Program, broken: BrokenImport, hints: Hints) -> Violation:
    statement = broken.statement
    mending = mending_of(program, broken)
    lazy = not reach_of(program).runs_at_start(broken.path, statement)
    left = program.linked(FAMILY).left_at.get(broken.path)
    reached = left is None or statement.line <= left
    error = "ImportError" if broken.name else "ModuleNotFoundError"
    if statement.flags & TYPING:
        cause = "Type checkers treat everything that comes from here as unknown; nothing fails at run time."
    elif statement.flags & LAZY:
        cause = f"{statement.symbol} raises {error} whenever it is called."
    elif statement.flags & MAIN:
        cause = f"Running {broken.path} as a script raises {error}."
    elif not reached:
        cause = f"Nothing for now: the module is left at line {left}. With that mended, it raises {error} here."
    elif lazy:
        cause = f"Importing {broken.path} raises {error} where this branch is taken."
    else:
        cause = f"Importing {broken.path} raises {error}."
    related: tuple[Related, ...] = ()
    if broken.name and broken.target.kind != "namespace":
        related = (Related(broken.target.path, 1, f"the module that does not define {broken.name}"),)
    return Violation(
        path=broken.path,
        span=_span(broken),
        message=_what_is_missing(broken),
        anchor=_written(statement, broken.name or broken.module),
        symbol=statement.symbol,
        cause=cause,
        help=hints.help(broken),
        related=related,
        severity=_severity(broken),
        fix=mending.fix if mending is not None else None,
        lazy=lazy,
        raises=error if reached and not statement.flags & NOT_SURE_TO_RUN else "",
        data={**_data(broken, hints), **(mending.data if mending is not None else {})},
    )


def _loud(program: Program) -> Iterator[BrokenImport]:
    """The broken imports whose failure nothing swallows."""
    return (
        broken
        for broken in program.linked(FAMILY).broken
        if not broken.swallowed_line and not is_elsewhere(program, broken)
    )


@rule("IMP001", "missing-module", Severity.ERROR, fixable="safe", depends=Depends.NAMES)
def missing_module(program: Program) -> Iterator[Violation]:
    """An import of a first-party module that is not in the tree.

    ## What it does
    Looks for every imported module below every source root that holds for the importing file: the folders above it,
    `src` folders, roots that pytest or the build are configured with, folders that are put on `sys.path`. A
    relative import is looked for by folder. The finding says which part of the dotted name is still there.

    `--fix` takes every name from where it is now, where the history says so beyond doubt; `--unsafe-fixes` also where
    it is only likely. A statement is mended whole or not at all.

    ## What breaks in production
    ModuleNotFoundError when the importing module is loaded: at start-up for a module-level import, at the first call
    for one in a function. After a consolidation this is the most common way for a service not to start.

    ## Bad
    `app/__init__.py`:

    ```python
    ```

    `app/main.py`:

    ```python
    from app.websockets.manager import Manager  # <- IMP001
    ```

    ## Good
    `app/__init__.py`:

    ```python
    ```

    `app/websocket_core.py`:

    ```python
    class Manager: ...
    ```

    `app/main.py`:

    ```python
    from app.websocket_core import Manager
    ```

    ## Configuration
    `roots` adds source roots that guard does not find by itself.

    ## What it cannot see
    A top-level name that no root has is not known to be first-party, so it is not reported here. Nothing is reported
    below packages whose modules are built (extensions, protobuf, a file that a build file names), below packages that
    extend their `__path__` or bring a finder, beside a template (`local.py.example`), and in branches that the platform
    or the Python version decides.
    """
    hints = hints_of(program)
    for broken in _loud(program):
        if not broken.name:
            yield _violation(program, broken, hints)


@rule("IMP002", "missing-name", Severity.ERROR, fixable="safe", depends=Depends.NAMES)
def missing_name(program: Program) -> Iterator[Violation]:
    """An import of a name that the module does not bind, in any way.

    ## What it does
    Computes what each first-party module binds: assignments, definitions, imports and re-exports through any number of
    modules, star imports with `__all__`, `global` in functions, submodules. A name that stands only in `__all__`,
    only in an annotation without a value, or was deleted is not bound.

    `--fix` takes the name from where it is now, where the history says so beyond doubt; `--unsafe-fixes` also where
    it is only likely, or has another name: then its uses are renamed, or where others know the old name that is bound
    with `as`. `guard shim` brings the name back where it was.

    ## What breaks in production
    ImportError ("cannot import name") when the importing module is loaded, although the module itself is there.

    ## Bad
    `app/__init__.py`:

    ```python
    ```

    `app/manager.py`:

    ```python
    class UnifiedManager: ...
    ```

    `app/main.py`:

    ```python
    from app.manager import Manager  # <- IMP002
    ```

    ## Good
    `app/__init__.py`:

    ```python
    ```

    `app/manager.py`:

    ```python
    class UnifiedManager: ...

    Manager = UnifiedManager
    ```

    `app/main.py`:

    ```python
    from app.manager import Manager
    ```

    ## Configuration
    None.

    ## What it cannot see
    Modules with a `__getattr__`, with `globals()[…] = …`, with `exec`, that hand on `sys.modules[__name__]`, or with a
    star import from a third-party package may bind anything: nothing is reported for them. A name that is bound in one
    branch only counts as bound.
    """
    hints = hints_of(program)
    for broken in _loud(program):
        if broken.name:
            yield _violation(program, broken, hints)


@rule("IMP007", "silently-disabled", Severity.WARNING, fixable="unsafe", depends=Depends.NAMES)
def silently_disabled(program: Program) -> Iterator[Violation]:
    """A first-party import that can never succeed, under a handler that swallows the failure.

    ## What it does
    Reports what IMP001 and IMP002 would report, where `except ImportError`, `except Exception`, a bare `except` or
    `contextlib.suppress` goes on without it. It is an error in a module that a deployed service loads at start-up,
    unless the handler imports an alternative. To mend it is an unsafe fix: what never ran before runs then.

    ## What breaks in production
    Nothing is raised: the fallback runs, always. A feature is None, a check is skipped, a handler is never registered,
    and every test that runs the fallback passes.

    ## Bad
    `app/__init__.py`:

    ```python
    ```

    `app/routes.py`:

    ```python
    def register(chat):
        try:
            from app.agents.bridge import create_bridge  # <- IMP007
        except Exception:
            return None
        return create_bridge(chat)
    ```

    ## Good
    `app/__init__.py`:

    ```python
    ```

    `app/bridge.py`:

    ```python
    def create_bridge(chat): ...
    ```

    `app/routes.py`:

    ```python
    def register(chat):
        try:
            from app.bridge import create_bridge
        except ImportError:
            return None
        return create_bridge(chat)
    ```

    ## Configuration
    None.

    ## What it cannot see
    Handlers for exceptions that are named by a variable. Code in which the failure is what is asserted
    (`pytest.raises(ImportError)`) is silent, and so are settings of one machine (`from .local import *`).
    """
    hints = hints_of(program)
    reach = reach_of(program)
    for broken in program.linked(FAMILY).broken:
        if not broken.swallowed_line or broken.statement.flags & TYPING or is_elsewhere(program, broken):
            continue
        at_start = broken.path in reach.startup and not broken.retried
        mending = mending_of(program, broken)
        fallback = "the handler's own import is what always runs" if broken.retried else "the fallback always runs"
        yield Violation(
            path=broken.path,
            span=_span(broken),
            message=f"{_what_is_missing(broken)}, and the handler at line {broken.swallowed_line} swallows that",
            anchor=_written(broken.statement, broken.name or broken.module),
            symbol=broken.statement.symbol,
            cause=f"This import can never succeed, so {fallback}; nothing tells anybody.",
            help=hints.help(broken),
            related=(Related(broken.path, broken.swallowed_line, "the failure is swallowed here"),),
            severity=Severity.ERROR if at_start else None,
            fix=mending.fix if mending is not None else None,
            lazy=True,
            data={**_data(broken, hints), **(mending.data if mending is not None else {})},
        )


@rule("IMP012", "beyond-top-level", Severity.ERROR, depends=Depends.NAMES)
def beyond_top_level(program: Program) -> Iterator[Violation]:
    """A relative import that climbs out of its package, or stands in a file that is run as a script.

    ## What it does
    Counts the dots against the folders above the file, and looks for relative imports in the scripts that Dockerfiles,
    compose files and Procfiles run by path.

    ## What breaks in production
    ImportError: "attempted relative import beyond top-level package", or "with no known parent package".

    ## Bad
    In git.

    `app/__init__.py`:

    ```python
    ```

    `app/main.py`:

    ```python
    from ...shared import types  # <- IMP012
    ```

    ## Good
    In git.

    `app/__init__.py`:

    ```python
    ```

    `app/main.py`:

    ```python
    from . import types
    ```

    `app/types.py`:

    ```python
    ```

    ## Configuration
    `entry-points` names scripts that guard does not find by itself.

    ## What it cannot see
    Where the top-level package begins, when folders without `__init__.py` are above the file: only climbing out of the
    whole tree is certain then.
    """
    modules = program.linked(FAMILY)
    reach = reach_of(program)
    scripts = reach.scripts
    for path, facts in modules.facts.items():
        for statement in facts.imports:
            if statement.level <= 0 or statement.flags & TYPING:
                continue
            if modules.layout.climbs_out(path, statement.level):
                message = f"{_written(statement)} climbs out of the top-level package"
            elif path in scripts:
                message = f"{_written(statement)} stands in a file that is run as a script"
            else:
                continue
            guards = [facts.guards[number] for number in statement.guards]
            stops = path not in scripts and not statement.flags & NOT_SURE_TO_RUN and escapes(guards, "ImportError")
            related = (
                (Related(scripts[path].path, scripts[path].line, "run as a script here"),) if path in scripts else ()
            )
            yield Violation(
                path=path,
                span=Span(statement.line, statement.column, statement.end_line, statement.end_column),
                message=message,
                anchor=_written(statement),
                symbol=statement.symbol,
                cause="Importing it raises ImportError: a relative import needs a package around the file.",
                help="Import by the absolute name, or run the module with `python -m`.",
                related=related if path in scripts else (),
                lazy=not reach.runs_at_start(path, statement),
                raises="ImportError" if stops else "",
                data={"module": "." * statement.level + statement.module, "name": ""},
            )
