"""Modules that promise names they do not have, and modules that nobody can import."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from guard.checks.modules import FAMILY
from guard.impact import reach_of
from guard.mending.imports import export_mending
from guard.model import WHOLE_FILE, Gate, Related, Severity, Span, Violation
from guard.program import Program
from guard.registry import Depends, rule


@rule("IMP010", "undefined-export", Severity.ERROR, fixable="safe", depends=Depends.NAMES)
def undefined_export(program: Program) -> Iterator[Violation]:
    """`__all__` names something that the module does not bind.

    ## What it does
    Looks up every literal name of `__all__` in the module itself: its bindings, its star imports, its submodules.

    `--fix` imports what an entry names, where the history says beyond doubt where that is now; `--unsafe-fixes` also
    where a module of the same folder has it, and else takes the entry out.

    ## What breaks in production
    `from module import *` raises AttributeError; tools and readers that trust `__all__` are misled.

    ## Bad
    `shared/__init__.py`:

    ```python
    __all__ = ["UserID", "OrganizationID"]  # <- IMP010

    class UserID(str): ...
    ```

    ## Good
    `shared/__init__.py`:

    ```python
    __all__ = ["OrganizationID", "UserID", "types"]

    class UserID(str): ...
    class OrganizationID(str): ...
    ```

    `shared/types.py`:

    ```python
    ```

    ## Configuration
    None.

    ## What it cannot see
    Names that are added to `__all__` by code or in a branch, and modules that may bind any name.
    """
    modules = program.linked(FAMILY)
    for path, facts in modules.facts.items():
        if not facts.exports or path.endswith(".pyi"):
            continue
        target = modules.target_of(path)
        if not modules.knows_all_names(target):
            continue
        for export in facts.exports:
            if not export.certain or modules.binds(target, export.name):
                continue
            for_checkers = modules.binds(target, export.name, typing=True)
            mending = None if for_checkers else export_mending(program, path, export.name)
            yield Violation(
                path=path,
                span=Span(export.line, export.column, export.line, export.end_column),
                message=f"__all__ names {export.name or repr('')}, which the module does not define"
                + (" at run time" if for_checkers else ""),
                anchor=f"__all__ {export.name}",
                cause=f"`from {posixpath.splitext(posixpath.basename(path))[0]} import *` raises AttributeError.",
                help=f"Define {export.name or repr('')}, import it, or take it out of __all__.",
                severity=Severity.WARNING if for_checkers else None,
                fix=mending.fix if mending is not None else None,
                lazy=True,
                data={"module": path, "name": export.name, **(mending.data if mending is not None else {})},
            )


def _is_program(program: Program, path: str, packages: frozenset[str]) -> bool:
    """Whether a file is started by its path: something deployed does that, or it stands in no package and says so."""
    if path in reach_of(program).scripts:
        return True
    facts = program.facts(FAMILY).get(path)
    return facts is not None and facts.main and posixpath.dirname(path) not in packages


@rule("IMP014", "module-and-package", Severity.WARNING, gates=(Gate.PRE_COMMIT, Gate.CI))
def module_and_package(program: Program) -> Iterator[Violation]:
    """A module beside a package of the same name: the package wins, and the module is dead.

    ## What it does
    Finds `x.py` in a folder that also has `x/__init__.py`.

    ## What breaks in production
    Python imports the package and never looks at the file. Edits to it change nothing, and names that only it defines
    are missing.

    ## Bad
    `app/__init__.py`:

    ```python
    ```

    `app/routes.py`:

    ```python
    ROUTES = []  # <- IMP014
    ```

    `app/routes/__init__.py`:

    ```python
    ```

    ## Good
    `app/__init__.py`:

    ```python
    ```

    `app/routes.py`:

    ```python
    ROUTES = []
    ```

    `app/routes/README.md`:

    ```text
    A folder without Python is no package.
    ```

    ## Configuration
    None.

    ## What it cannot see
    A module inside a package that is run by its path only, as a script, and by nothing that guard reads: it is
    reported, since nobody can import it. One that stands in no package, and that is a program by its
    `if __name__ == "__main__"`, is not.
    """
    modules = program.linked(FAMILY)
    files, packages = modules.layout.files, modules.layout.packages
    for folder in sorted(posixpath.dirname(file) for file in files if file.endswith("/__init__.py")):
        path = f"{folder}.py"
        if path in files and not _is_program(program, path, packages):
            name = posixpath.basename(folder)
            yield Violation(
                path=path,
                span=WHOLE_FILE,
                message=f"{name}.py is dead: the package {name}/ has the same name and wins",
                anchor=f"{name}.py",
                cause="Nothing imports this file; what is edited here has no effect.",
                help="Move what is still needed into the package and delete the file, or rename one of them.",
                related=(Related(f"{folder}/__init__.py", 1, "this is what Python imports"),),
                lazy=True,
                data={"package": folder},
            )
