"""Imports that work on one disk only."""

from __future__ import annotations

from collections.abc import Iterator

from guard.checks.elsewhere import Elsewhere, elsewhere_of
from guard.checks.module_facts import LAZY, TYPING
from guard.model import Related, Severity, Span, Violation
from guard.program import Program
from guard.registry import Depends, rule


@rule("IMP008", "not-in-this-tree", Severity.ERROR, depends=Depends.NAMES)
def not_in_this_tree(program: Program) -> Iterator[Violation]:
    """An import that leads to a file which is on this disk only: untracked, or ignored by git.

    ## What it does
    Looks for imports of tracked files that only an untracked file answers; and, where the tree has no such module,
    for a file on disk that git ignores, with the line of the pattern. So it is judged on a work tree only: of the
    index or a revision, IMP001 says that the module is missing.

    ## What breaks in production
    ModuleNotFoundError in every other clone, in CI and in an image that is built from one, while all tests pass here.

    ## Bad
    In git.

    `.gitignore`:

    ```text
    models/
    ```

    `app/__init__.py`:

    ```python
    ```

    `app/main.py`:

    ```python
    from app.models.user import User  # <- IMP008
    ```

    untracked `app/models/__init__.py`:

    ```python
    ```

    untracked `app/models/user.py`:

    ```python
    class User: ...
    ```

    ## Good
    In git.

    `.gitignore`:

    ```text
    /models/
    ```

    `app/__init__.py`:

    ```python
    ```

    `app/main.py`:

    ```python
    from app.models.user import User
    ```

    `app/models/__init__.py`:

    ```python
    ```

    `app/models/user.py`:

    ```python
    class User: ...
    ```

    ## Configuration
    None.

    ## What it cannot see
    Modules that a build makes are silent: what a build file names, `*_pb2`, `_version`, what a template stands beside.
    An import whose failure is caught is silent too: settings of one machine are meant to be absent elsewhere.
    """
    for found in elsewhere_of(program):
        if not found.swallowed:
            yield _violation(found)


def _violation(found: Elsewhere) -> Violation:
    statement, ignored = found.statement, found.ignored
    place = found.alias or statement
    module = "." * max(statement.level, 0) + ".".join(part for part in (found.module, found.name) if part)
    if ignored is None:
        message = f"{module} is there in this work tree only: git does not track {found.file}"
        way_out = f"git add {found.file}"
        related = Related(found.file, 1, "not tracked by git")
    else:
        message = f"{module} is there on this disk, but ignored by git via {ignored.source}:{ignored.line}"
        way_out = f"Narrow the pattern {ignored.pattern!r} and add {found.file}, or git add --force it."
        related = Related(ignored.source if ignored.in_tree else found.path, ignored.line, f"ignores {found.file}")
        if not ignored.in_tree:
            related = Related(found.path, place.line, f"leads to {found.file}")
    return Violation(
        path=found.path,
        span=Span(place.line, place.column, place.end_line, place.end_column),
        message=message,
        anchor=module,
        symbol=statement.symbol,
        cause="ModuleNotFoundError in every other clone, and in what is built from one.",
        help=way_out,
        related=(related,),
        severity=Severity.WARNING if statement.flags & TYPING else None,
        lazy=bool(statement.flags & (LAZY | TYPING)),
        data={"module": module, "name": found.name, "file": found.file},
    )
