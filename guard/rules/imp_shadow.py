"""Files that stand in the way of modules of the same name."""

from __future__ import annotations

from collections.abc import Iterator

from guard.dependencies.shadows import shadows
from guard.model import WHOLE_FILE, Related, Severity, Violation
from guard.program import Program
from guard.registry import rule


@rule("IMP013", "shadowed-module", Severity.WARNING)
def shadowed_module(program: Program) -> Iterator[Violation]:
    """A first-party file that hides the standard library or a dependency from some importer.

    ## What it does
    Looks at the folder that each process searches first: a script's own, or the one that a server loads the
    application from. A file or package there that has the name of a standard module, or of a dependency, is what every
    import of that name gets in this process. It is reported when some importer needs of the module what the file does
    not have; the finding names that importer.

    ## What breaks in production
    ImportError or AttributeError, far from the file that causes it, and only in processes that begin in that folder:
    the same import works in tests and elsewhere.

    ## Bad
    `scripts/logging.py`:

    ```python
    LEVELS = ["info"]  # <- IMP013
    ```

    `scripts/run.py`:

    ```python
    import logging

    if __name__ == "__main__":
        logging.basicConfig()
    ```

    ## Good
    `scripts/log_levels.py`:

    ```python
    LEVELS = ["info"]
    ```

    `scripts/run.py`:

    ```python
    import logging

    if __name__ == "__main__":
        logging.basicConfig()
    ```

    ## Configuration
    None.

    ## What it cannot see
    Importers in the standard library and in packages: only the tree's own files are looked at. Modules that are loaded
    before a script's first line (`os`, `io`, built-in ones) cannot be hidden. Scripts that take folders from
    `sys.path`.
    """
    for shadow in shadows(program):
        owner = "the standard library's" if shadow.standard else "the package"
        yield Violation(
            path=shadow.path,
            span=WHOLE_FILE,
            message=f"hides {owner} {shadow.name} from {shadow.importer}, which needs {shadow.wanted}",
            anchor=f"hides {shadow.name}",
            cause=f"A process that begins with {shadow.start} finds this file wherever it imports {shadow.name}.",
            help="Rename the file, or move it into a package.",
            related=(Related(shadow.importer, shadow.line, "this import gets the wrong module"),),
            lazy=True,
            data={"module": shadow.name, "name": ""},
        )
