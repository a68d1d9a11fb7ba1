"""Imports of what has its source of truth elsewhere, and of what is deprecated."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from guard.duplicates import duplicates_of
from guard.duplicates.uses import Deprecated, Misplaced, Use, Uses
from guard.model import Gate, Related, Severity, Span, Violation
from guard.program import Program
from guard.registry import rule

_CI: Final = (Gate.CI,)


def _span(use: Use) -> Span:
    alias = use.alias
    return Span(alias.line, alias.column, alias.end_line, alias.end_column)


@rule("SSOT002", "non-canonical-import", Severity.WARNING, gates=_CI, impact_aware=False)
def non_canonical_import(program: Program) -> Iterator[Violation]:
    """A name that is imported from another module than its source of truth.

    ## What it does
    Looks at every import of a class or function that is defined in several modules with the same body, and tells
    which of them take it from a copy (see SSOT001 for which one is canonical). Where `ssot.canonical` names the module
    of a name, every import of it from another module of the tree is an error, in tests and tools too, whatever that
    module does to have it.

    ## What breaks in production
    What is mended at the source of truth does not reach the importer; and once the copy is removed, the import fails.

    ## Bad
    `guard.toml`:

    ```toml
    [ssot.canonical]
    SessionStore = "app.sessions"
    ```

    `app/__init__.py`:

    ```python
    ```

    `app/sessions.py`:

    ```python
    class SessionStore: ...
    ```

    `app/compat.py`:

    ```python
    from app.sessions import SessionStore

    __all__ = ["SessionStore"]
    ```

    `app/main.py`:

    ```python
    from app.compat import SessionStore  # <- SSOT002

    store = SessionStore()
    ```

    ## Good
    `guard.toml`:

    ```toml
    [ssot.canonical]
    SessionStore = "app.sessions"
    ```

    `app/__init__.py`:

    ```python
    ```

    `app/sessions.py`:

    ```python
    class SessionStore: ...
    ```

    `app/main.py`:

    ```python
    from app.sessions import SessionStore

    store = SessionStore()
    ```

    ## Configuration
    `ssot.canonical`: by name, the module that it is to be imported from.

    ## What it cannot see
    Uses by way of a module (`import app.compat`, then `app.compat.SessionStore`), and star imports. Imports of copies
    that have diverged are not told: they may need what only the copy has.
    """
    for found in Uses(program, duplicates_of(program)).misplaced():
        yield _misplaced(found)


def _misplaced(found: Misplaced) -> Violation:
    use, name = found.use, found.use.alias.name
    written = "." * max(use.statement.level, 0) + use.statement.module
    why = "the configuration says" if found.configured else "this module has a copy of it"
    related = (Related(found.path, found.line or 1, "the source of truth"),) if found.path else ()
    return Violation(
        path=use.path,
        span=_span(use),
        message=f"{name} is imported from {written}; its source of truth is {found.module}",
        anchor=f"from {written} import {name}",
        symbol=use.statement.symbol,
        cause=f"{why[0].upper()}{why[1:]}."
        if not found.configured
        else f"ssot.canonical names {found.module} for {name}.",
        help=f"Write: from {found.module} import {name}",
        severity=Severity.ERROR if found.configured else None,
        related=related,
        data={"name": name, "module": written, "canonical": found.module},
    )


@rule("SSOT003", "deprecated-name", Severity.WARNING, gates=_CI, impact_aware=False)
def deprecated_name(program: Program) -> Iterator[Violation]:
    """An import of a module or name that is deprecated.

    ## What it does
    Looks for imports of classes and functions of the tree that carry a decorator `deprecated`, or that always give a
    DeprecationWarning, PendingDeprecationWarning or FutureWarning with a text of their own, whatever way the import
    takes; of modules that warn so when they are imported; and of what `ssot.deprecated` names, in the tree or outside.
    Tests may test what is deprecated, and deprecated modules may use it.

    ## What breaks in production
    Nothing until the name is removed. Then every one of these imports is an ImportError.

    ## Bad
    `app/__init__.py`:

    ```python
    ```

    `app/auth.py`:

    ```python
    import warnings


    def login(user: str) -> None:
        warnings.warn("use sign_in", DeprecationWarning, stacklevel=2)
    ```

    `app/main.py`:

    ```python
    from app.auth import login  # <- SSOT003

    login("a")
    ```

    ## Good
    `app/__init__.py`:

    ```python
    ```

    `app/auth.py`:

    ```python
    import warnings


    def sign_in(user: str) -> None: ...


    def login(user: str, legacy: bool = False) -> None:
        if legacy:
            warnings.warn("legacy is gone", DeprecationWarning, stacklevel=2)
        sign_in(user)
    ```

    `app/main.py`:

    ```python
    from app.auth import login

    login("a")
    ```

    ## Configuration
    `ssot.deprecated`: by module or `MODULE:NAME`, what to use in its stead.

    ## What it cannot see
    Warnings in a branch, those that a helper gives, methods, and uses by way of a module's attributes.
    """
    for found in Uses(program, duplicates_of(program)).deprecated():
        yield _deprecated(found)


def _deprecated(found: Deprecated) -> Violation:
    use = found.use
    said = f": {found.said}" if found.said else ""
    related = (Related(found.path, found.line, "it says so here"),) if found.path else ()
    return Violation(
        path=use.path,
        span=_span(use),
        message=f"{found.shown} is deprecated{said}",
        anchor=f"import {found.shown}",
        symbol=use.statement.symbol,
        cause="It will be removed, and the import will fail then.",
        help=f"Do as it says: {found.said}" if found.said else "Look where it is defined for what takes its place.",
        related=related,
        data={"name": found.shown, "said": found.said},
    )
