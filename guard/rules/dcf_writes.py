"""Attributes that are given a value where that fails, or where it is lost."""

from __future__ import annotations

from collections.abc import Iterator

from guard.checks.classes_facts import Access
from guard.checks.classes_faults import BadWrite
from guard.dependencies.classes import classes_of
from guard.model import Severity, Violation
from guard.program import Program
from guard.registry import Depends, rule
from guard.rules.dcf_words import alike, all_attributes, did_you_mean, span_of, where

_WAYS_OUT = {
    "dataclass": "dataclasses.replace({0}, {1}=…)",
    "pydantic dataclass": "dataclasses.replace({0}, {1}=…)",
    "attrs": "attrs.evolve({0}, {1}=…)",
    "pydantic model": '{0}.model_copy(update={{"{1}": …}})',
    "named tuple": "{0}._replace({1}=…)",
    "struct": "msgspec.structs.replace({0}, {1}=…)",
}


def _help(bad: BadWrite) -> str:
    if bad.kind == "enumeration":
        return "Add a member with the new value, or keep what changes outside of the enumeration."
    way = _WAYS_OUT[bad.kind].format("instance", bad.name)
    return f"Make a changed copy, {way}, or take the frozen setting off {bad.frozen.name if bad.frozen else ''}."


@rule("DCF006", "frozen-write", Severity.ERROR, depends=Depends.NAMES)
def frozen_write(program: Program) -> Iterator[Violation]:
    """A field of a frozen class that is given another value.

    ## What it does
    Follows receivers to their class as DCF001 does, and reports fields that are assigned, augmented or deleted on
    instances of a class that forbids it: frozen data classes, attrs classes, pydantic models and msgspec structs,
    named tuples, and members of enumerations. Code of the class itself counts too: `__post_init__` is no exception.

    ## What breaks in production
    FrozenInstanceError, AttributeError or ValidationError when the line runs. It is often the line that was added
    when a class had long been frozen, or was left behind when it became so.

    ## Bad
    `app/context.py`:

    ```python
    from dataclasses import dataclass


    @dataclass(frozen=True)
    class UserContext:
        user_id: str
        request_count: int = 0


    def count(context: UserContext) -> None:
        context.request_count += 1  # <- DCF006
    ```

    ## Good
    `app/context.py`:

    ```python
    from dataclasses import dataclass, replace


    @dataclass(frozen=True)
    class UserContext:
        user_id: str
        request_count: int = 0


    def count(context: UserContext) -> UserContext:
        return replace(context, request_count=context.request_count + 1)
    ```

    ## Configuration
    None of its own.

    ## What it cannot see
    Instances whose class is not certain (see DCF001), and `object.__setattr__`, which is the way around.
    """
    for bad in classes_of(program).bad_writes:
        if bad.frozen is None:
            continue
        place = bad.place
        done = "deleted" if bad.access is Access.DELETE else "assigned"
        yield Violation(
            path=place.path,
            span=span_of(place),
            message=f"{bad.cls.name} is frozen: {bad.name} cannot be {done}"
            if bad.kind != "enumeration"
            else f"{bad.name} is a member of the enumeration {bad.cls.name}: it cannot be {done}",
            anchor=f"{bad.cls.name}.{bad.name} {bad.access.name.lower()} {bad.chain}",
            symbol=place.symbol,
            cause=f"It is an error when it runs: {place.symbol or place.path} raises it"
            f"{' whenever this line is reached' if place.lazy else ''}.",
            help=_help(bad),
            related=where(bad.frozen, f"{bad.frozen.name} is defined here, as a {bad.kind} that is frozen"),
            lazy=place.lazy,
            data={"class": bad.cls.qualname, "class_path": bad.cls.path, "field": bad.name},
        )


@rule("DCF007", "undeclared-write", Severity.WARNING, depends=Depends.NAMES)
def undeclared_write(program: Program) -> Iterator[Violation]:
    """An attribute that is assigned on an instance of a data class, and is none of its fields.

    ## What it does
    Reports assignments from outside of the class, on instances whose class is certain, of an attribute that the class
    declares nowhere: neither as a field, nor in a method, nor in a base or a subclass. Names that begin with an
    underscore are left alone.

    ## What breaks in production
    Nothing at that line. But the value is in no `asdict`, in no comparison and in no repr; a copy by `replace` loses
    it; and where the name is a slip, the field that was meant keeps its old value.

    ## Bad
    `app/metrics.py`:

    ```python
    from dataclasses import dataclass


    @dataclass
    class QueueMetrics:
        accepted: int = 0


    def report() -> QueueMetrics:
        metrics = QueueMetrics()
        metrics.acepted = 3  # <- DCF007
        return metrics
    ```

    ## Good
    `app/metrics.py`:

    ```python
    from dataclasses import dataclass


    @dataclass
    class QueueMetrics:
        accepted: int = 0


    def report() -> QueueMetrics:
        metrics = QueueMetrics()
        metrics.accepted = 3
        return metrics
    ```

    ## Configuration
    None of its own.

    ## What it cannot see
    Instances whose class is not certain (see DCF001), attributes that methods of the class assign on `self`, which are
    taken for meant, and what is set on an instance by a function that also replaces a method of it, as tests do.
    """
    linked = classes_of(program)
    for bad in linked.bad_writes:
        if bad.frozen is not None:
            continue
        place = bad.place
        likely = alike(bad.name, all_attributes(linked.table, bad.cls))
        yield Violation(
            path=place.path,
            span=span_of(place),
            message=f"{bad.name} is no field of {bad.cls.name}{did_you_mean(likely)}",
            anchor=f"{bad.cls.name}.{bad.name} store {bad.chain}",
            symbol=place.symbol,
            cause="The value hangs on this one instance: asdict, comparisons, repr and copies do not know it.",
            help=f"Use {likely}, or declare {bad.name} in {bad.cls.name}."
            if likely
            else f"Declare {bad.name} in {bad.cls.name}.",
            related=where(bad.cls, f"{bad.cls.name} is defined here, without {bad.name}"),
            lazy=place.lazy,
            data={"class": bad.cls.qualname, "class_path": bad.cls.path, "field": bad.name, "suggestion": likely},
        )
