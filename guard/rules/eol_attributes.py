"""Line endings, as attribute files and settings have them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from guard.attributes import FILE_NAME
from guard.checks.text import FAMILY
from guard.checks.text_attribute_faults import attribute_faults, may_be_at_fault
from guard.checks.text_pins import Pin, is_unpinned, missing_pins
from guard.model import Fix, Related, Severity, Span, Violation
from guard.program import Program
from guard.registry import Depends, rule


@rule(
    "EOL002",
    "ending-not-pinned",
    Severity.ERROR,
    fixable="safe",
    impact_aware=False,
    depends=Depends.PATHS,
    concerned=lambda program, files: any(is_unpinned(program.linked(FAMILY), *file) for file in files),
)
def ending_not_pinned(program: Program) -> Iterator[Violation]:
    """Files that run or configure a deploy have no `eol=lf`, so their endings depend on who checks them out.

    ## What it does
    Evaluates `.gitattributes` (nested files, macros, precedence) for every file that runs or configures a deploy:
    Python, shell, Dockerfile, TOML, INI, YAML, Terraform, SQL, templates, `.env`, requirements, Makefile and every
    script with a shebang. `text=auto` or `text` alone is not enough: the working tree then follows the platform and
    `core.autocrlf`. One finding for each pattern to add, at the line behind which it belongs; one for all of them in
    a repository without any attribute file. Batch files are asked for `eol=crlf` (a warning).

    ## What breaks in production
    Someone builds the image on a machine whose git checks out CRLF. The same commit, another image: a shell script
    that does not start, settings whose values end in CR.

    ## Bad
    In git.

    `.gitattributes`:

    ```text
    * text=auto
    *.py text eol=lf
    ```

    `app.py`:

    ```python
    ```

    `alembic.ini`:

    ```ini
    [alembic]
    ```

    ```expect
    .gitattributes:1 EOL002
    ```

    ## Good
    In git.

    `.gitattributes`:

    ```text
    * text=auto eol=lf
    *.bat text eol=crlf
    ```

    `alembic.ini`:

    ```ini
    [alembic]
    ```

    `run.bat`:

    ```text
    @echo off
    ```

    ## Configuration
    None. The fix adds the lines in place, comments and order kept, above whatever later lines except.

    ## What it cannot see
    Attributes of one clone (`info/attributes`, `core.attributesFile`) do not count: nobody else has them. Files in test
    data and vendored folders are not asked for.
    """
    truth = program.linked(FAMILY)
    if truth.git is None:
        return
    pins = missing_pins(truth)
    if not truth.attribute_files:
        needed = [pin for pin in pins if not pin.crlf]
        if needed:
            yield _unpinned(pins, FILE_NAME, f"no .gitattributes: {sum(pin.files for pin in needed)} files that run or "
                            "configure the deploy get the line endings of whoever checks them out")  # fmt: skip
        return
    for pin in pins:
        files = pin.example + (f" and {pin.files - 1} more" if pin.files > 1 else "")
        ending = "crlf" if pin.crlf else "lf"
        yield _unpinned([pin], pin.path, f"`{pin.pattern}` has no `eol={ending}` ({files})")


def _unpinned(pins: Sequence[Pin], path: str, message: str) -> Violation:
    return Violation(
        path=path,
        span=Span(max(pins[0].after, 1)),
        message=message,
        anchor=pins[0].pattern if len(pins) == 1 else FILE_NAME,
        cause="cmd.exe loses labels in a batch file with LF."
        if all(pin.crlf for pin in pins)
        else "A checkout on Windows, or with core.autocrlf, holds CRLF, and a build copies it into the image.",
        help=f"Add `{pins[0].text}`" + (f" and {len(pins) - 1} more lines." if len(pins) > 1 else "."),
        severity=Severity.WARNING if all(pin.crlf for pin in pins) else None,
        fix=Fix("safe", "add the lines to the attribute file") if all(pin.safe for pin in pins) else None,
        data={
            "patterns": [pin.pattern for pin in pins],
            "lines": [pin.text for pin in pins],
            "after": pins[0].after,
            "files": sum(pin.files for pin in pins),
        },
    )


@rule(
    "EOL005",
    "ending-conflict",
    Severity.WARNING,
    impact_aware=False,
    depends=Depends.PATHS,
    concerned=lambda program, files: any(may_be_at_fault(program.linked(FAMILY), *file) for file in files),
)
def ending_conflict(program: Program) -> Iterator[Violation]:
    """What one line says of line endings, another line, an editor's settings or git itself undoes.

    ## What it does
    Reports, in every attribute file of the tree:

    - a line that git drops: a negative pattern, a trailing comment, a bad attribute name, a macro in a nested file;
    - a value that git does not know (`eol=LF`, `text=true`), a pattern for a folder (`docs/`), a name with a blank;
    - a later line, or a nested file, that undoes an earlier `eol=lf`;
    - `binary` or `-text` on source;
    - a merge driver that is not built in (`merge=ours`) and that no configuration defines;
    - `.editorconfig` with another `end_of_line` than the attribute;
    - in a working tree, `core.autocrlf` or `core.eol` of the clone that give unpinned files CRLF.

    ## What breaks in production
    The ending is believed to be pinned and is not; or editor and git rewrite the file in turn, so that what is
    built depends on which of them came last.

    ## Bad
    In git.

    `.gitattributes`:

    ```text
    *.md text eol=LF
    CHANGELOG.md merge=ours
    ```

    `CHANGELOG.md`:

    ```text
    hello
    ```

    ```expect
    .gitattributes:1 EOL005
    .gitattributes:2 EOL005
    ```

    ## Good
    In git.

    `.gitattributes`:

    ```text
    # A comment on a line of its own.
    * text=auto eol=lf
    *.png binary
    CHANGELOG.md merge=union
    "release notes.md" -text
    ```

    `.editorconfig`:

    ```ini
    root = true

    [*]
    end_of_line = lf
    ```

    `CHANGELOG.md`:

    ```text
    hello
    ```

    `app.py`:

    ```python
    ```

    ## Configuration
    None.

    ## What it cannot see
    Custom merge drivers and filters with names of their own are taken to be configured where they are needed. A
    narrower line that excepts some files from a pin is taken to be meant.
    """
    for fault in attribute_faults(program.linked(FAMILY)):
        related = (Related(*fault.other),) if fault.other is not None else ()
        yield Violation(
            path=fault.path,
            span=Span(fault.line),
            message=fault.message,
            anchor=fault.anchor,
            cause=fault.cause,
            help=fault.help,
            related=related,
            data={"kind": fault.kind},
        )
