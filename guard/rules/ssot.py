"""Classes and functions that a tree defines more than once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from guard.checks.ssot_facts import Defined
from guard.duplicates import Copy, Group, Kinship, Place, duplicates_of
from guard.duplicates.likeness import is_enum, is_exception
from guard.model import Fix, Gate, Related, Severity, Span, Violation
from guard.program import Program
from guard.registry import rule

_CI: Final = (Gate.CI,)


def _span(defined: Defined) -> Span:
    return Span(defined.line, defined.column, defined.line, defined.end_column)


def _word(defined: Defined) -> str:
    return "class" if defined.is_class else "function"


@rule("SSOT001", "duplicate-definition", Severity.WARNING, gates=_CI, fixable="unsafe", impact_aware=False)
def duplicate_definition(program: Program) -> Iterator[Violation]:
    """A class or function of one name that several production modules define.

    ## What it does
    Compares the classes and functions of one name that production modules define at their top level. They are one
    thing where their bodies are the same, but for comments and docstrings, or where one is a copy that has diverged:
    large parts of the bodies are the same, or the classes have half of their members in common. One of them is taken
    for the canonical one (the configuration names it, or most files import it); it is told as information how many
    there are, and each of the others is a finding of its own. Namesakes that have nothing in common are not counted,
    nor are a re-export, another name for the same thing (`X = base.X`, `class X(base.X): pass`), what stands in a
    branch, tests, tools, migrations, and what a tool has generated.

    `--unsafe-fixes` puts an import in the place of a definition whose body is the same, where every name in it means
    the same in both modules.

    ## What breaks in production
    A mended bug lives on in the copy. Two classes of one name are not equal: `isinstance` and `except` say no,
    enum members differ, a field that one of them has is an AttributeError on the other.

    ## Bad
    `app/__init__.py`:

    ```python
    ```

    `app/schemas.py`:

    ```python
    from dataclasses import dataclass


    @dataclass
    class HealthResult:  # <- SSOT001
        component: str
        healthy: bool
        checked_at: float
        details: dict[str, str]
    ```

    `app/monitoring.py`:

    ```python
    from dataclasses import dataclass


    @dataclass
    class HealthResult:  # <- SSOT001
        component: str
        healthy: bool
        checked_at: float
        score: float
    ```

    `app/main.py`:

    ```python
    from app.schemas import HealthResult

    RESULTS: list[HealthResult] = []
    ```

    ## Good
    `app/__init__.py`:

    ```python
    ```

    `app/schemas.py`:

    ```python
    from dataclasses import dataclass


    @dataclass
    class HealthResult:
        component: str
        healthy: bool
        checked_at: float
        details: dict[str, str]
    ```

    `app/monitoring.py`:

    ```python
    from app.schemas import HealthResult


    def unhealthy(results: list[HealthResult]) -> list[str]:
        return [result.component for result in results if not result.healthy]
    ```

    ## Configuration
    `ssot.canonical` names the module that a class or function is to be imported from.

    ## What it cannot see
    Copies under another name: those are SSOT004. Methods, and definitions in branches or in functions.
    """
    for group in duplicates_of(program).groups:
        yield _overview(group)
        for copy in group.copies:
            yield _copy(group, copy)


def _overview(group: Group) -> Violation:
    places, first = group.places, group.canonical
    same = sum(copy.kinship is Kinship.SAME for copy in group.copies)
    diverged = len(group.copies) - same
    parts = [f"{same} with the same body"] * bool(same) + [f"{diverged} diverged"] * bool(diverged)
    return Violation(
        path=first.path,
        span=_span(first.defined),
        message=f"{group.name} is defined in {len(places)} production modules; this one is taken for the source of "
        f"truth: {group.reason}",
        anchor=f"{_word(first.defined)} {group.name}",
        symbol=group.name,
        cause=f"{'Another definition' if len(places) == 2 else 'Other definitions'}: {' and '.join(parts)}.",
        help="Let the others import it from here, or name another module in ssot.canonical.",
        severity=Severity.INFO,
        related=tuple(
            Related(copy.place.path, copy.place.defined.line, _said_of(copy.place, copy.kinship))
            for copy in group.copies
        ),
        data={"name": group.name, "kind": "canonical", "definitions": len(places), "canonical": first.path},
    )


def _said_of(place: Place, kinship: Kinship) -> str:
    users = f"{place.users:,} {'file imports' if place.users == 1 else 'files import'} it" if place.users else "unused"
    return f"{kinship}, {users}"


def _copy(group: Group, copy: Copy) -> Violation:
    first, own = group.canonical, copy.place.defined
    at = f"{first.path}:{first.defined.line}"
    what = "has the same body as" if copy.kinship is Kinship.SAME else "is a diverged copy of"
    return Violation(
        path=copy.place.path,
        span=_span(own),
        message=f"{group.name} {what} the one in {at}",
        anchor=f"{_word(own)} {group.name}",
        symbol=group.name,
        cause=_cause(own, copy.kinship),
        help=f"Import {group.name} from {first.path}"
        + (", once what only this one has is there." if copy.kinship is Kinship.DIVERGED else "."),
        severity=Severity.WARNING,
        fix=Fix("unsafe", f"import it from {copy.import_from}") if copy.import_from else None,
        related=(Related(first.path, first.defined.line, f"taken for the source of truth: {group.reason}"),),
        data={
            "name": group.name,
            "kind": copy.kinship.value,
            "definitions": len(group.places),
            "canonical": first.path,
            "users": copy.place.users,
            **({"moved_to": {group.name: f"{copy.import_from}:{group.name}"}} if copy.import_from else {}),
        },
    )


def _cause(own: Defined, kinship: Kinship) -> str:
    if own.is_class and is_enum(own):
        return "A member of one enum never equals one of the other, whatever their values."
    if own.is_class and is_exception(own):
        return "An `except` of one does not catch the other."
    if own.is_class:
        return "An instance of one is none of the other, and what is mended in one stays broken in the other."
    return (
        "What is mended in one stays broken in the other."
        if kinship is Kinship.SAME
        else "They have gone apart already: which one runs depends on the import."
    )
