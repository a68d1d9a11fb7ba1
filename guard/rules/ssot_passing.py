"""Modules that pass names on, and need not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from guard.duplicates import duplicates_of
from guard.duplicates.passing import Passing
from guard.model import WHOLE_FILE, Gate, Related, Severity, Span, Violation
from guard.program import Program
from guard.registry import rule

_CI: Final = (Gate.CI,)


@rule("SSOT006", "dead-shim", Severity.INFO, gates=_CI, impact_aware=False)
def dead_shim(program: Program) -> Iterator[Violation]:
    """A module that only re-exports names of other modules, and that nothing names.

    ## What it does
    Finds production modules of nothing but imports from the tree's own modules (with a docstring, `__all__`, other
    names for what is imported, a deprecation warning), which no import of the tree runs and whose name no string, no
    manifest and no document of it has. Packages, and modules that frameworks import by their name, are left out.

    ## What breaks in production
    Nothing. It is one more place that looks like the source of truth, and has to be kept working.

    ## Bad
    `app/__init__.py`:

    ```python
    ```

    `app/sessions.py`:

    ```python
    class SessionStore: ...
    ```

    `app/session_compat.py`:

    ```python
    # <- SSOT006
    from app.sessions import SessionStore

    __all__ = ["SessionStore"]
    ```

    `app/main.py`:

    ```python
    from app.sessions import SessionStore

    store = SessionStore()
    ```

    ## Good
    `app/__init__.py`:

    ```python
    ```

    `app/sessions.py`:

    ```python
    class SessionStore: ...
    ```

    `app/session_compat.py`:

    ```python
    from app.sessions import SessionStore

    __all__ = ["SessionStore"]
    ```

    `app/main.py`:

    ```python
    from app.session_compat import SessionStore

    store = SessionStore()
    ```

    ## Configuration
    None.

    ## What it cannot see
    Importers outside of the tree: in a published package a shim may be there for its users.
    """
    for shim in Passing(program, duplicates_of(program)).dead_shims():
        yield Violation(
            path=shim.path,
            span=WHOLE_FILE,
            message=f"{shim.module} only passes names on, and nothing in this tree names it",
            anchor=f"shim {shim.module}",
            cause="It is one more place that looks like the source of truth.",
            help="Remove it, unless somebody outside of this tree imports it.",
            data={"module": shim.module},
        )


@rule("SSOT007", "alias-chain", Severity.INFO, gates=_CI, impact_aware=False)
def alias_chain(program: Program) -> Iterator[Violation]:
    """A name that comes from its definition through three modules or more.

    ## What it does
    Follows names that a production module imports and that others take from it, back to where they are defined. It is
    told where this module and two more, or more than these, only pass the name on.

    ## What breaks in production
    Each of the modules is a place where the name can be lost, and they are all executed to get at it, which is how
    import cycles come about.

    ## Bad
    `app/__init__.py`:

    ```python
    ```

    `app/core.py`:

    ```python
    class Clock: ...
    ```

    `app/time.py`:

    ```python
    from app.core import Clock
    ```

    `app/tools.py`:

    ```python
    from app.time import Clock
    ```

    `app/api.py`:

    ```python
    from app.tools import Clock  # <- SSOT007
    ```

    `app/main.py`:

    ```python
    from app.api import Clock

    clock = Clock()
    ```

    ## Good
    `app/__init__.py`:

    ```python
    ```

    `app/core.py`:

    ```python
    class Clock: ...
    ```

    `app/tools.py`:

    ```python
    from app.core import Clock
    ```

    `app/api.py`:

    ```python
    from app.tools import Clock
    ```

    `app/main.py`:

    ```python
    from app.api import Clock

    clock = Clock()
    ```

    ## Configuration
    None.

    ## What it cannot see
    Star imports, and names that are bound in branches.
    """
    for chain in Passing(program, duplicates_of(program)).chains():
        end, line = chain.way[-1]
        files = f"{chain.users:,} {'file takes' if chain.users == 1 else 'files take'} it from here"
        yield Violation(
            path=chain.path,
            span=Span(chain.line, 1, chain.line, 1),
            message=f"{chain.name} comes from {end}:{line} through {len(chain.way)} modules",
            anchor=f"{chain.name} {end}",
            symbol=chain.name,
            cause=f"Each of them is executed to get at it, and can lose it; {files}.",
            help=f"Import {chain.name} from {end}, where it is defined.",
            related=tuple(Related(path, at, "passed on" if path != end else "defined") for path, at in chain.way),
            data={"name": chain.name, "hops": len(chain.way), "users": chain.users},
        )
