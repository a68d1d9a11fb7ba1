"""Text integrity of source: what a reader sees is not what the machine reads."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from guard.checks import modules
from guard.checks.text import FAMILY
from guard.checks.text_hidden import BIDI, CODE, Hidden
from guard.checks.text_types import is_source, is_vendored
from guard.impact import reach_of
from guard.model import Related, Severity, Span, Violation
from guard.program import Program
from guard.registry import Depends, rule

_SHOWN_IMPORTERS = 5


@rule("TXT004", "hidden-unicode", Severity.ERROR, depends=Depends.FILE)
def hidden_unicode(program: Program) -> Iterator[Violation]:
    """Invisible characters make source read otherwise than it compiles.

    ## What it does
    Reports, in source files, what is never healthy: a bidirectional control that is still open at the end of its
    string, comment or line (CVE-2021-42574, "Trojan Source"; GCC's `-Wbidi-chars=unpaired` has the same test); in
    Python an invisible character outside strings and comments; tag characters that spell no flag of a region. Escapes
    such as "\\u202e" are no such characters. Joiners in emoji and in Persian or Hindi text, direction marks and what
    else stands in strings are left alone.

    ## What breaks in production
    A reviewer sees a check that the compiler sees as a comment. Or a name that looks like another one and is not; or,
    with a zero-width space from a chat or a web page, a SyntaxError at a place that looks right.

    ## Bad
    `access.py`:

    ```python escapes
    level = "user"
    if level != "none\\xe2\\x80\\xae\\xe2\\x81\\xa6":  # <- TXT004
        print("You are an admin.")
    ```

    ## Good
    `access.py`:

    ```python
    OVERRIDE = "\\u202e"
    family = "👩‍👧"
    ```

    ## Configuration
    None.

    ## What it cannot see
    Letters of other alphabets that look alike. Languages other than Python are judged by whole lines, only for
    bidirectional controls and tags, and as a warning: a regular expression may hold such characters by themselves. What
    a bundler wrote (lines of over 500 characters on average) is not looked at.
    """
    for path, facts in program.facts(FAMILY).items():
        python = program.files[path].kind != "text"
        if not facts.hidden or not (python or (is_source(path) and not is_vendored(path) and ".min." not in path)):
            continue
        told: set[tuple[int, str]] = set()
        for place in facts.hidden:
            if (place.line, place.kind) in told:
                continue
            told.add((place.line, place.kind))
            yield _hidden(path, place, python)


def _hidden(path: str, place: Hidden, python: bool) -> Violation:
    name = f"U+{place.character:04X} {unicodedata.name(chr(place.character), '')}".rstrip()
    message, cause = {
        BIDI: (
            f"{name} is not closed where its string, comment or line ends",
            "What follows is shown in another order than it is compiled in.",
        ),
        CODE: (f"{name} among code", "It is a SyntaxError, or a part of a name that nobody sees."),
    }.get(place.kind, (f"{name}: hidden text in tag characters", "It says something to machines that no reader sees."))
    return Violation(
        path=path,
        span=Span(place.line, place.column, place.line, place.column + 1),
        message=message,
        anchor=f"{place.kind} U+{place.character:04X}",
        cause=cause,
        help="Delete it, or write it as an escape where a string needs it.",
        severity=None if python and place.kind in (BIDI, CODE) else Severity.WARNING,
        lazy=True,  # what keeps the file from compiling is told by the rules on syntax
        data={"character": f"U+{place.character:04X}", "kind": place.kind},
    )


@rule("TXT005", "ambiguous-indentation", Severity.ERROR, depends=Depends.FILE)
def ambiguous_indentation(program: Program) -> Iterator[Violation]:
    """Tabs and blanks indent a block so that it is unclear what belongs to it.

    ## What it does
    Asks Python itself about files that indent with both: a finding is what Python raises TabError for, namely when
    the depth of a line depends on how wide a tab is.

    ## What breaks in production
    `TabError: inconsistent use of tabs and spaces in indentation` when the module is imported.

    ## Bad
    `app.py`:

    ```python escapes
    if True:
            a = 1
    \\tb = 2  # <- TXT005
    ```

    ## Good
    `app.py`:

    ```python escapes
    if True:
    \\ta = 1
    if True:
        b = 2
    ```

    ## Configuration
    None.

    ## What it cannot see
    A file that another syntax error stops first.
    """
    for path, facts in program.facts(FAMILY).items():
        if facts.tab_error:
            yield Violation(
                path=path,
                span=Span(facts.tab_error),
                message="inconsistent use of tabs and blanks in indentation",
                anchor="TabError",
                cause="Importing the module raises TabError.",
                help="Indent the file with blanks alone.",
                raises="TabError",
            )


@rule("TXT008", "truncated-or-empty", Severity.WARNING, depends=Depends.NAMES)
def truncated_or_empty(program: Program) -> Iterator[Violation]:
    """A module is empty, although other modules import names from it.

    ## What it does
    Reports Python files without anything but white space from which some `from module import name` takes a name
    that is no submodule.

    ## What breaks in production
    ImportError in every importer; what the finding hits is what they do. An empty file where there was a module is
    usually a write that was cut off, or a path typed in a shell; the broken imports (IMP002) are its consequence.

    ## Bad
    `app/__init__.py`:

    ```python
    ```

    `app/metrics.py`:

    ```python
    ```

    `app/main.py`:

    ```python
    from app.metrics import Counter
    ```

    ```expect
    app/metrics.py:1 TXT008
    ```

    ## Good
    `app/__init__.py`:

    ```python
    ```

    `app/metrics.py`:

    ```python
    class Counter: ...
    ```

    `app/main.py`:

    ```python
    from app.metrics import Counter
    from app import metrics
    ```

    ## Configuration
    None.

    ## What it cannot see
    A module that lost only its end: it is a syntax error (SYN001) or has lost names (IMP002).
    """
    blank = [path for path, facts in program.facts(FAMILY).items() if facts.blank]
    if not blank:
        return
    linked, reach = program.linked(modules.FAMILY), reach_of(program)
    for path in blank:
        importers = linked.importers_of_names(path)
        if not importers:
            continue
        first = importers[0][0] + (f" and {len(importers) - 1} more" if len(importers) > 1 else "")
        yield Violation(
            path=path,
            span=Span(1),
            message=f"the module is empty, and names are imported from it (by {first})",
            anchor=path.rpartition("/")[2],
            cause="Every one of these imports raises ImportError.",
            help=_way_out_of_empty(path),
            impact=min((reach.of(where) for where, _ in importers), key=lambda impact: impact.rank),
            related=tuple(Related(where, line, "imports from it") for where, line in importers[:_SHOWN_IMPORTERS]),
            data={"importers": len(importers)},
        )


def _way_out_of_empty(path: str) -> str:
    if path.endswith("__init__.py"):
        return "Import each name from the module of the package that has it, or restore the file, if it once did."
    return "Restore the file from the commit that last had content, or delete it with its imports."
