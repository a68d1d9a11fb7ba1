"""Text integrity: what keeps a file from being read as it was written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from guard.checks.text import FAMILY, TextFacts
from guard.checks.text_conflicts import CODE, DOCSTRING, FENCED, LISTING, Conflict
from guard.checks.text_types import (
    bom_breaks,
    bom_disturbs,
    deploy_pattern,
    is_json,
    is_prose,
    is_source,
    is_test_data,
    promises_utf8,
    suffix_of,
)
from guard.model import Fix, Related, Severity, Span, Violation
from guard.program import Program
from guard.registry import Depends, rule
from guard.sources.tree import EXECUTABLE

_LISTING_SUFFIXES: Final = (".adoc", ".asciidoc", ".asc")


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _is_leftover(conflict: Conflict, path: str, kind: str) -> bool:
    """Whether a merge left this, or somebody quotes it."""
    if kind != "text":
        return conflict.place == CODE or (conflict.place == DOCSTRING and conflict.complete)
    if is_json(path):
        return True  # no line of JSON begins like this
    if is_prose(path) and conflict.place == (LISTING if suffix_of(path) in _LISTING_SUFFIXES else FENCED):
        return False
    return conflict.complete


@rule("TXT001", "conflict-marker", Severity.ERROR, depends=Depends.FILE)
def conflict_marker(program: Program) -> Iterator[Violation]:
    """Conflict markers of a merge were left in a file.

    ## What it does
    Looks in every text file for lines that begin with `<<<<<<< `, `=======` and `>>>>>>> ` in this order (and `|||||||`
    where git shows the common ancestor). In Python code and in JSON a single marker is enough, since no line can begin
    so. In Python, markers in a docstring count when all three are there; in any other string they are data.
    Fenced code in Markdown and listings in AsciiDoc may quote what they like.

    ## What breaks in production
    The module does not compile, the configuration does not load; and Python's message ("invalid decimal literal" at
    the commit id in the last marker) does not say why. In a docstring everything compiles, and nobody knows which
    side of the merge was meant.

    ## Bad
    `settings.yaml`:

    ```yaml escapes
    <<<<<<< HEAD
    workers: 4
    =======
    workers: 8
    >>>>>>> main
    ```

    ```expect
    settings.yaml:1 TXT001
    ```

    ## Good
    `test_merge.py`:

    ```python
    CONFLICT = (
        "<<<<<<< HEAD\\n"
        "=======\\n"
        ">>>>>>> main\\n"
    )
    ```

    ## Configuration
    None.

    ## What it cannot see
    Markers that are indented, or of another length than git's seven characters.
    """
    for path, facts in program.facts(FAMILY).items():
        for conflict in facts.conflicts:
            if not _is_leftover(conflict, path, program.files[path].kind):
                continue
            yield Violation(
                path=path,
                span=Span(conflict.line),
                message="merge conflict marker" if conflict.complete else "part of a merge conflict's markers",
                anchor=f"conflict in {_name(path)}",
                cause="The file holds both sides of a merge that was never resolved.",
                help="Keep one side, or both put together, and delete the marker lines.",
                related=tuple(Related(path, line, "it belongs to this conflict") for line in conflict.others),
                severity=Severity.INFO if is_test_data(path) else None,
                raises="SyntaxError" if program.files[path].kind == "python" and not program.files[path].parsed else "",
                data={"complete": conflict.complete, "place": conflict.place},
            )


_REMOVE_BOM: Final = Fix("safe", "remove the byte order mark")


def _bom_harm(path: str, facts: TextFacts, executable: bool) -> tuple[Severity, str] | None:
    """How bad a byte order mark is in a file of this name, and why; None where it does no harm."""
    if facts.bom != "UTF-8":
        if path.endswith((".py", ".pyi")):
            return Severity.ERROR, "Python does not compile the file."
        if promises_utf8(path) or is_source(path) or bom_breaks(path):
            return Severity.ERROR, "Programs that read this type expect UTF-8, and git takes the file for binary."
        if deploy_pattern(path, facts.interpreter):
            return Severity.WARNING, "Most programs that read this file expect UTF-8."
        return None
    if facts.interpreter and (executable or not path.endswith(".py")):
        return Severity.ERROR, "The kernel does not find `#!` at the beginning, so the file is no script to it."
    if bom_breaks(path):
        return (
            Severity.ERROR,
            "Parsers take the mark for the first character: a syntax error, or a first name that is wrong.",
        )
    if bom_disturbs(path):
        return Severity.WARNING, "The usual reader copes with the mark; others take it for the first character."
    return None


@rule("TXT002", "byte-order-mark", Severity.ERROR, fixable="safe", depends=Depends.FILE)
def byte_order_mark(program: Program) -> Iterator[Violation]:
    """A file begins with a byte order mark that its readers do not expect.

    ## What it does
    Reports a UTF-8 mark in scripts, shell, JSON, TOML, INI, `.env` and configuration files (an error), in Python,
    YAML, Dockerfiles, Terraform and SQL (a warning, since their usual reader copes); and a UTF-16 or UTF-32 mark
    wherever UTF-8 is expected. PowerShell's `>` writes UTF-16. Types that want a mark or do not mind (`.ps1`, `.csv`,
    `.txt`, `.md`, `.cs`) are left alone.

    ## What breaks in production
    `json.load` fails with "Unexpected UTF-8 BOM", `tomllib` with "Invalid statement", `configparser` with "File
    contains no section headers"; a script with a mark before `#!` is not started; the first variable of an `.env`
    file gets a name that nobody can see is wrong.

    ## Bad
    `config/settings.json`:

    ```json bom
    {}
    ```

    ```expect
    config/settings.json:1 TXT002
    ```

    ## Good
    `config/settings.json`:

    ```json
    {}
    ```

    `report.csv`:

    ```text bom
    a;b
    ```

    ## Configuration
    None.

    ## What it cannot see
    How a program that reads `.txt` or `.xml` takes the mark. Data files of tests are reported as information only.
    """
    for path, facts in program.facts(FAMILY).items():
        harm = _bom_harm(path, facts, program.tree.files[path].mode == EXECUTABLE) if facts.bom else None
        if harm is None:
            continue
        severity, cause = harm
        fixable = facts.bom == "UTF-8"
        yield Violation(
            path=path,
            span=Span(1),
            message=f"{facts.bom} byte order mark" if fixable else f"the file is {facts.bom}, with a byte order mark",
            anchor=f"{facts.bom} {_name(path)}",
            cause=cause,
            help="Save the file as UTF-8 without a byte order mark.",
            severity=Severity.INFO if is_test_data(path) else severity,
            lazy=severity is Severity.WARNING,  # its reader copes, so it starts
            fix=_REMOVE_BOM if fixable else None,
            data={"encoding": facts.bom},
        )


@rule("TXT003", "undecodable", Severity.ERROR, depends=Depends.FILE)
def undecodable(program: Program) -> Iterator[Violation]:
    """A file's bytes are not text in the encoding that it must have.

    ## What it does
    Python: decodes by the declared encoding (PEP 263: byte order mark, coding comment in the first two lines, else
    UTF-8), as Python does before it reads a line. Other files: as UTF-8, where the type allows nothing else (JSON,
    TOML, YAML, Terraform, `.env`, Go, Rust, protobuf).

    ## What breaks in production
    `SyntaxError: Non-UTF-8 code starting with '\\xe9'` at import (in a comment, only when the file itself is run: a
    warning); `UnicodeDecodeError` when the configuration is loaded.

    ## Bad
    `app.py`:

    ```python latin-1
    name = "café"  # <- TXT003
    ```

    ## Good
    `app.py`:

    ```python latin-1
    # -*- coding: latin-1 -*-
    name = "café"
    ```

    `notes.txt`:

    ```text latin-1
    café
    ```

    ## Configuration
    None.

    ## What it cannot see
    Text in a wrong encoding that happens to decode. A declared encoding that this Python does not know is a warning,
    since a package may register it.
    """
    for path, facts in program.facts(FAMILY).items():
        fault = facts.undecodable
        if fault is None:
            continue
        python = program.files[path].kind != "text"
        if not python and (facts.binary or not promises_utf8(path)):
            continue
        severity = None
        if is_test_data(path):
            severity = Severity.INFO
        elif fault.codec_unknown or fault.imports or path.endswith(".pyi"):
            severity = Severity.WARNING
        cause = "Python does not compile the file." if python else "Whatever loads this file fails at this byte."
        if fault.imports:
            cause = "In a comment an import lets it pass; running the file, and most tools that read it, do not."
        yield Violation(
            path=path,
            span=Span(fault.line),
            message=f"cannot be decoded: {fault.reason}",
            anchor=f"{fault.reason} in {_name(path)}",
            cause=cause,
            help="Save the file as UTF-8" + (", or declare its encoding in the first line." if python else "."),
            severity=severity,
            raises="SyntaxError" if python and not (fault.imports or fault.codec_unknown) else "",
            data={"reason": fault.reason},
        )
