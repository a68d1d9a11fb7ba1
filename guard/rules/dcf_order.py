"""Fields because of which a class cannot be made."""

from __future__ import annotations

from collections.abc import Iterator

from guard.dependencies.classes import classes_of
from guard.model import Related, Severity, Span, Violation
from guard.program import Program
from guard.registry import Depends, rule


@rule("DCF005", "default-order", Severity.ERROR, depends=Depends.NAMES)
def default_order(program: Program) -> Iterator[Violation]:
    """A field that stands in the wrong order, or a default that all instances would share.

    ## What it does
    Puts the fields of a class in order as its kind does (inherited ones first, keyword-only ones behind the rest), and
    reports a required field behind one with a default: for data classes, attrs classes, named tuples and msgspec
    structs. For data classes, a list, dict, set or another value without a hash as a default too.

    ## What breaks in production
    TypeError or ValueError at the class statement: importing the module fails, and with it whatever imports it. A
    default that is added to a field of a base class breaks every subclass that has required fields.

    ## Bad
    `app/jobs.py`:

    ```python
    from dataclasses import dataclass


    @dataclass
    class Job:
        name: str
        priority: int = 0


    @dataclass
    class ScheduledJob(Job):
        start: float  # <- DCF005
    ```

    ## Good
    `app/jobs.py`:

    ```python
    from dataclasses import dataclass, field


    @dataclass
    class Job:
        name: str
        priority: int = 0


    @dataclass
    class ScheduledJob(Job):
        start: float = field(kw_only=True)
    ```

    ## Configuration
    None of its own.

    ## What it cannot see
    Fields that a helper function makes, and bases that are not known. Lists that attrs classes or named tuples have as
    a default: they are shared, and nothing fails.
    """
    for bad in classes_of(program).bad_fields:
        cls = bad.cls
        lazy = cls.header.lazy
        what = (
            f"{bad.field} of {cls.name} has no default, and stands behind {bad.after}, which has one"
            if bad.after
            else f"the default of {bad.field} of {cls.name} would be shared by all instances"
        )
        place = cls.qualname if lazy else f"importing {cls.path}"
        yield Violation(
            path=cls.path,
            span=Span(bad.line),
            message=what,
            anchor=f"{cls.name}.{bad.field} {bad.after}".strip(),
            symbol=cls.qualname,
            cause=f"The class statement is a {bad.raises}: {place} raises it.",
            help=f"Give {bad.field} a default, or make it keyword-only."
            if bad.after
            else f"Let every instance make its own: {bad.field} = field(default_factory=…).",
            related=(Related(cls.path, cls.line, f"{cls.name} is defined here"),) if bad.line != cls.line else (),
            lazy=lazy,
            raises=bad.raises if cls.header.certain else "",
            data={"class": cls.qualname, "field": bad.field, "after": bad.after},
        )
