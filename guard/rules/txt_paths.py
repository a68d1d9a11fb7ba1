"""Paths that do not travel."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from guard.checks.text import FAMILY
from guard.checks.text_paths import PathFault, Surroundings, refused, unportable
from guard.model import WHOLE_FILE, Related, Severity, Violation
from guard.program import Program
from guard.registry import Depends, Unshared, rule


def _below(fault: PathFault) -> str:
    return "" if fault.part == fault.path else f" (the folder {fault.part}/, {fault.files} files)"


def _around(program: Program, files: Sequence[Unshared]) -> Surroundings:
    return Surroundings(program.tree.files, [file.path for file in files])


@rule(
    "TXT006",
    "unportable-path",
    Severity.ERROR,
    impact_aware=False,
    depends=Depends.PATHS,
    concerned=lambda program, files: _around(program, files).may_be_unportable(),
)
def unportable_path(program: Program) -> Iterator[Violation]:
    """A path cannot exist on every system that the repository is checked out on.

    ## What it does
    Reports names that Windows refuses (CON, NUL, COM1 and their like with any suffix; the characters `< > : " | ? *
    \\` and controls; a dot or blank at the end), two paths that differ only in case or in Unicode normalisation, and
    paths over 240 characters. A folder is reported once. Two folders that differ only in case, with different files
    in them, are a warning.

    ## What breaks in production
    `git clone` and `git checkout` fail on Windows; on Windows and macOS one of two such files silently takes the
    other's place, and a build on that machine ships the wrong one.

    ## Bad
    `docs/aux.md`:

    ```text
    hello
    ```

    `src/Config.txt`:

    ```text
    one
    ```

    `src/config.txt`:

    ```text
    two
    ```

    ```expect
    docs/aux.md:1 TXT006
    src/config.txt:1 TXT006
    ```

    ## Good
    `docs/auxiliary.md`:

    ```text
    hello
    ```

    ## Configuration
    None.

    ## What it cannot see
    How deep the folder is that a checkout will stand in.
    """
    for fault in unportable(tuple(program.tree.files), program.linked(FAMILY).mangled):
        related: tuple[Related, ...] = ()
        if fault.other and fault.other in program.tree.files:
            related = (Related(fault.other, 1, "the other one"),)
        message = fault.reason
        if fault.kind in ("collision", "folders"):
            message = (
                f"{fault.reason} from {fault.other}"
                if "from" not in fault.reason
                else f"{fault.reason}, {fault.other}/"
            )
        yield Violation(
            path=fault.path,
            span=WHOLE_FILE,
            message=message + _below(fault),
            anchor=fault.part.rpartition("/")[2],
            cause="The repository cannot be checked out on Windows."
            if fault.kind in ("name", "length")
            else "On Windows and macOS one takes the place of the other.",
            help="Rename it.",
            related=related,
            severity=Severity.WARNING if fault.kind == "folders" else None,
            data={"part": fault.part, "kind": fault.kind, "files": fault.files},
        )


@rule(
    "TXT007",
    "mangled-path",
    Severity.WARNING,
    impact_aware=False,
    depends=Depends.PATHS,
    concerned=lambda program, files: _around(program, files).may_be_mangled(),
)
def mangled_path(program: Program) -> Iterator[Violation]:
    """A file name is really a whole path whose separators were lost.

    ## What it does
    Reports names with a drive letter or a backslash in them; with characters U+F001 to U+F0FF, by which Cygwin, MSYS
    and WSL write what Windows forbids (U+F03A is a colon); and names that begin with three or more nested folders of
    the tree, run together, or with a home folder run together with what was below it.

    ## What breaks in production
    An unquoted Windows path in a POSIX shell loses its backslashes, and a file is written at the top of the
    repository instead of where it was meant: the real file is not changed, and this one is collected, built and
    shipped. The character in place of the colon is invisible in most terminals, and no pattern with `:` matches it.

    ## Bad
    `backend/tests/unit/core/test_a.py`:

    ```python
    ```

    `backendtestsunitcore__init__.py`:

    ```python
    ```

    ```expect
    backendtestsunitcore__init__.py:1 TXT007
    ```

    ## Good
    `backend/tests/unit/core/test_a.py`:

    ```python
    ```

    `backend_tests_unit_core.py`:

    ```python
    ```

    ## Configuration
    None.

    ## What it cannot see
    A path that lost its separators and is not below any folder that is still there.
    """
    for fault in program.linked(FAMILY).mangled:
        name = fault.part.rpartition("/")[2]
        yield Violation(
            path=fault.path,
            span=WHOLE_FILE,
            message=f"mangled path: {fault.reason}{_below(fault)}",
            anchor=name,
            cause="It was written here by mistake; the file that was meant is another one.",
            help="Delete it, or move its content to where it was meant to be.",
            severity=Severity.ERROR if refused(name) else None,
            data={"part": fault.part, "kind": fault.kind, "folder": fault.other},
        )
