"""Imports of names that a module may leave unbound."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from guard.checks.possible_names import PossiblyMissing, find_possibly_missing
from guard.model import Related, Severity, Span, Violation
from guard.program import Program
from guard.registry import Depends, rule

_SHOWN: Final = 5
"""Other imports of the same name that a finding lists."""


@rule("IMP015", "possibly-missing", Severity.INFO, depends=Depends.NAMES)
def possibly_missing(program: Program) -> Iterator[Violation]:
    """An import of a name that the module binds on some of its ways only.

    ## What it does
    Looks for a way through the module that leaves the name unbound: a branch without its counterpart, a loop that may
    have nothing to do, a handler that goes on without the name, a function that has to be called first to bind it by
    `global`. There is one finding for each name, at the first import of it.

    ## What breaks in production
    ImportError where that way is taken: with another setting, before the function was called, where an optional
    package is not installed. It works wherever the other way is.

    ## Bad
    `app/__init__.py`:

    ```python
    ```

    `app/cache.py`:

    ```python
    import os

    if os.environ.get("REDIS_URL"):
        client = object()
    ```

    `app/main.py`:

    ```python
    from app.cache import client  # <- IMP015
    ```

    ## Good
    `app/__init__.py`:

    ```python
    ```

    `app/cache.py`:

    ```python
    import os

    if os.environ.get("REDIS_URL"):
        client = object()
    else:
        client = None
    ```

    `app/main.py`:

    ```python
    from app.cache import client
    ```

    ## Configuration
    None.

    ## What it cannot see
    Whether the way is ever taken. Branches that the platform, the Python version or TYPE_CHECKING decides count as
    taken. An import that stands in a branch itself, or is guarded, is not judged.
    """
    by_name: dict[tuple[str, str], list[PossiblyMissing]] = {}
    for found in find_possibly_missing(program):
        by_name.setdefault((found.target, found.alias.name), []).append(found)
    for imports in by_name.values():
        found, *others = imports
        alias = found.alias
        more = f" (and {len(others)} more {'imports take' if len(others) > 1 else 'import takes'} it)" if others else ""
        dots = "." * max(found.statement.level, 0)
        module = f"{dots}{found.statement.module}"
        yield Violation(
            path=found.path,
            span=Span(alias.line, alias.column, alias.end_line, alias.end_column),
            message=f"{module} may not define {alias.name}: {found.target}:{found.line} binds it on some ways only"
            + more,
            anchor=f"from {module} import {alias.name}",
            symbol=found.statement.symbol,
            cause="ImportError wherever the module takes another way.",
            help=f"Bind {alias.name} on every way, to None if need be.",
            related=(
                Related(found.target, found.line, f"binds {alias.name}, if it is reached"),
                *(Related(other.path, other.alias.line, f"imports {alias.name} too") for other in others[:_SHOWN]),
            ),
            lazy=True,
            data={"module": module, "name": alias.name},
        )
