"""Line endings, as they are in files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from guard.checks.text import FAMILY, Endings, TextFacts
from guard.checks.text_endings import Action
from guard.checks.text_truth import Judged
from guard.checks.text_types import SHELL_SUFFIXES, SHELLS, deploy_pattern, is_test_data, suffix_of
from guard.model import Fix, Severity, Span, Violation
from guard.program import Program
from guard.registry import Depends, rule
from guard.sources.tree import EXECUTABLE

_TO_LF: Final = Fix("safe", "write every line ending as LF")


def _is_shell(path: str, facts: TextFacts) -> bool:
    return suffix_of(path) in SHELL_SUFFIXES or facts.interpreter in SHELLS


def _severity(path: str, facts: TextFacts, action: Action) -> Severity:
    if action.normalises or deploy_pattern(path, facts.interpreter):
        return Severity.ERROR
    # Nothing says how such a file should end, and nothing that is deployed reads its lines.
    return Severity.INFO if is_test_data(path) else Severity.WARNING


def _counts(endings: Endings) -> dict[str, object]:
    return {"crlf": endings.crlf, "lf": endings.lf, "lone_cr": endings.lone_cr}


def _wanted(action: Action) -> str:
    if action.pins_lf:
        return "its attributes want LF"
    return "git is told to store LF" if action.normalises else "no attribute asks for it"


def _cause(path: str, facts: TextFacts) -> str:
    if _is_shell(path, facts):
        return "A shell takes the CR for a part of every command: `$'\\r': command not found`."
    return "Every checkout and every build gets these bytes, on every platform; tools that read lines see a stray CR."


def _judged(program: Program) -> Iterator[tuple[Judged, Endings]]:
    """What the bytes say, where they can be judged: without git, only shell scripts and what an attribute pins."""
    truth = program.linked(FAMILY)
    for judged in truth.unasked_crs:
        endings = judged.facts.endings
        if endings is None:
            continue
        if truth.git is None and not judged.action.pins_lf and not _is_shell(judged.path, judged.facts):
            continue
        yield judged, endings


@rule("EOL001", "crlf-committed", Severity.ERROR, fixable="safe", depends=Depends.FILE)
def crlf_committed(program: Program) -> Iterator[Violation]:
    """A text file holds CRLF line endings that nothing asks for.

    ## What it does
    Counts the line endings of every text file as git does, and compares them with what the file's attributes want. A
    committed file with CRLF, or with both endings, is a finding when its attributes want LF or say nothing. git's
    own verdict decides what is binary. In a plain folder (an image), where nothing says what was meant, only
    shell scripts are judged, and files that a `.gitattributes` in the folder pins to LF.

    ## What breaks in production
    A shell script fails with `$'\\r': command not found`. Values that are read line by line end in an invisible CR: a
    host name that does not resolve, a token that is refused. Once committed, no checkout repairs it: `text=auto`
    leaves a file alone whose blob already has CRLF.

    ## Bad
    In git.

    `.gitattributes`:

    ```text
    *.sh text eol=lf
    *.toml text eol=lf
    ```

    `deploy/run.service.txt`:

    ```text crlf
    first  # <- EOL001
    second
    ```

    ## Good
    In git.

    `.gitattributes`:

    ```text
    *.bat text eol=crlf
    ```

    `deploy/start.bat`:

    ```text crlf
    @echo off
    ```

    ## Configuration
    Files that must have CRLF say so in `.gitattributes`: `*.txt text eol=crlf`, or `-text` for bytes as they are.
    Batch files, CSV, mail and other types with CRLF in their standard need no attribute.

    ## What it cannot see
    Whether a file without attributes was meant to have CRLF. It is a warning, not an error, where nothing that is
    deployed reads the file's lines.
    """
    truth = program.linked(FAMILY)
    for judged, endings in _judged(program):
        facts, path = judged.facts, judged.path
        if judged.drift or endings.lone_cr or (truth.git is None and facts.shebang_cr):
            continue
        what = f"{endings.crlf} CRLF line endings" if endings.crlf > 1 else "one CRLF line ending"
        if endings.lf:
            what += f" among {endings.lf} LF"
        where = "" if truth.git is None else " committed" if truth.tree.kind != "index" else " staged"
        yield Violation(
            path=path,
            span=Span(endings.crlf_line),
            message=f"{what}{where}; {_wanted(judged.action)}",
            anchor=path.rpartition("/")[2],
            cause=_cause(path, facts),
            help="Write the file with LF, or ask for CRLF with an attribute (`eol=crlf`) if it must have it.",
            severity=_severity(path, facts, judged.action),
            lazy=not _is_shell(path, facts),  # Python reads either ending, so a module starts all the same
            fix=_TO_LF,
            data=_counts(endings),
        )


@rule("EOL003", "worktree-drift", Severity.ERROR, fixable="safe", depends=Depends.FILE)
def worktree_drift(program: Program) -> Iterator[Violation]:
    """The file on disk has CRLF, and a checkout would give it LF.

    ## What it does
    For a working tree: compares each file with CRLF on disk with what git holds for it in the index (`git ls-files
    --eol`), and with what a checkout in this clone would write, by attributes, `core.autocrlf` and `core.eol`.

    ## What breaks in production
    git shows no change, since it would normalise the file on the way in. But a build that copies the working tree
    (`docker build .`) ships what is on disk, so the image differs from the commit it is said to be.

    ## Bad
    In git.

    `.gitattributes`:

    ```text
    * text=auto eol=lf
    ```

    `app/main.py`:

    ```python crlf
    print("hello")  # <- EOL003
    ```

    ## Good
    In git.

    `.gitattributes`:

    ```text
    * text=auto eol=lf
    ```

    `app/main.py`:

    ```python
    print("hello")
    ```

    ## Configuration
    None. `git add --renormalize .` and a fresh checkout do the same as the fix.

    ## What it cannot see
    A commit, the index and a folder without git have one truth only, so nothing can drift there. A file with LF where
    its attributes ask for CRLF is left alone.
    """
    for judged, endings in _judged(program):
        if not judged.drift or endings.lone_cr:
            continue
        path = judged.path
        yield Violation(
            path=path,
            span=Span(endings.crlf_line),
            message=f"CRLF on disk ({endings.crlf} lines), where a checkout gives LF",
            anchor=path.rpartition("/")[2],
            cause="git shows no change, but a build that copies this working tree ships CRLF.",
            help="Write the file with LF; `eol=lf` in .gitattributes keeps it so.",
            severity=_severity(path, judged.facts, judged.action),
            lazy=not _is_shell(path, judged.facts),
            fix=_TO_LF,
            data=_counts(endings),
        )


@rule("EOL004", "lone-cr", Severity.ERROR, fixable="unsafe", depends=Depends.FILE)
def lone_cr(program: Program) -> Iterator[Violation]:
    """A text file has a CR that no LF follows, so git takes it for binary.

    ## What it does
    Reports text (no NUL byte, and no more control characters than git allows) with a carriage return on its own.

    ## What breaks in production
    One lone CR makes git treat the file as binary: under `text=auto`, with `eol=lf` or without, its line endings are
    never normalised, so CRLF goes into commits unseen; diffs and merges say no more than "binary files differ". With
    plain `text` git converts the rest and leaves the CR.

    ## Bad
    In git.

    `.gitattributes`:

    ```text
    * text=auto eol=lf
    ```

    `notes.md`:

    ```text escapes
    one\\r\\n
    two\\rthree\\r\\n
    ```

    ```expect
    notes.md:3 EOL004
    ```

    ## Good
    In git.

    `.gitattributes`:

    ```text
    * text=auto eol=lf
    *.dat -text
    ```

    `notes.md`:

    ```text
    one
    ```

    `raw.dat`:

    ```text escapes
    two\\rthree
    ```

    ## Configuration
    `-text` or `binary` in `.gitattributes` says that the bytes are meant.

    ## What it cannot see
    What the CR was: a line break of an old system, or a slip. So its fix, which makes it an LF, is not safe. In a
    folder without git only shell scripts and files pinned to LF are judged.
    """
    for judged, endings in _judged(program):
        if not endings.lone_cr:
            continue
        path = judged.path
        more = f" beside {endings.crlf} CRLF line endings" if endings.crlf else ""
        alone = "a CR" if endings.lone_cr == 1 else f"{endings.lone_cr} CRs"
        auto = judged.action.is_auto or judged.action is Action.UNDEFINED
        yield Violation(
            path=path,
            span=Span(endings.lone_cr_line),
            message=f"{alone} without LF{more}: "
            + ("git takes the file for binary" if auto else "git converts the rest and leaves it"),
            anchor=path.rpartition("/")[2],
            cause="Its line endings are never normalised, and its diffs are not shown."
            if auto
            else _cause(path, judged.facts),
            help="Replace the CR by an LF, or mark the file `-text` if these bytes are meant.",
            severity=_severity(path, judged.facts, judged.action),
            lazy=not _is_shell(path, judged.facts),
            fix=Fix("unsafe", "write every line ending, the lone CR too, as LF"),
            data=_counts(endings),
        )


@rule("EOL006", "crlf-shebang", Severity.ERROR, fixable="safe", depends=Depends.FILE)
def crlf_shebang(program: Program) -> Iterator[Violation]:
    """A script's first line ends in CR, so the kernel looks for an interpreter whose name ends in CR.

    ## What it does
    Looks at the bytes of the first line, in any tree. Python files that are not executable are run by naming the
    interpreter, which does not mind: for them it is information only.

    ## What breaks in production
    `exec /app/entrypoint.sh: no such file or directory`, although the file is there: what is missing is `/bin/sh\\r`.
    `/usr/bin/env: 'python3\\r': No such file or directory` is the same. The container never starts.

    ## Bad
    `entrypoint.sh`:

    ```sh crlf
    #!/bin/sh
    exec uvicorn app:app
    ```

    ```expect
    entrypoint.sh:1 EOL006
    ```

    ## Good
    `entrypoint.sh`:

    ```sh
    #!/bin/sh
    exec uvicorn app:app
    ```

    ## Configuration
    None. A file marked `-text` or `binary` in `.gitattributes` is left alone.

    ## What it cannot see
    Which interpreter runs a file that is not executable.
    """
    truth = program.linked(FAMILY)
    for path, facts in program.facts(FAMILY).items():
        if not facts.shebang_cr or facts.binary or truth.action(path) is Action.BINARY:
            continue
        executable = program.tree.files[path].mode == EXECUTABLE
        harmless = path.endswith((".py", ".pyi")) and not executable
        yield Violation(
            path=path,
            span=Span(1),
            message=f"the shebang line ends in CR: the kernel looks for `{facts.interpreter}\\r`",
            anchor=path.rpartition("/")[2],
            cause="Started by its name it fails with `no such file or directory`.",
            help="Write the file with LF, and pin it with `eol=lf` in .gitattributes.",
            severity=Severity.INFO if harmless else None,
            fix=_TO_LF,
            data={"interpreter": facts.interpreter},
        )
