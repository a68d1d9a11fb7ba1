"""Dicts of fields that are written by hand, and have fallen behind the class."""

from __future__ import annotations

from collections.abc import Iterator

from guard.dependencies.classes import classes_of
from guard.model import Severity, Span, Violation
from guard.program import Program
from guard.registry import Depends, rule
from guard.rules.dcf_words import listed, where


@rule("DCF004", "serializer-drift", Severity.WARNING, depends=Depends.NAMES)
def serializer_drift(program: Program) -> Iterator[Violation]:
    """A dict of the fields of a class that is written by hand and leaves one out.

    ## What it does
    Looks into `to_dict`, `as_dict`, `serialize` and the like of data classes and attrs classes. Where the method writes
    most of the fields into a dict, each under its name, a field is reported that it does not even read, neither itself
    nor through a property, and whose name is no key of the dict. What is
    left out on purpose is left alone: private and confidential fields, those with `repr=False`, and everything that
    holds no plain value (a session, a task, a callback). Where more than a quarter of the fields is missing, or one of
    the missing is of that sort, nothing is said. A field that the dict names and the class does not have is DCF001.

    ## What breaks in production
    The value gets lost on the way to a cache, a queue, a log or a client, without any error.

    ## Bad
    `app/metrics.py`:

    ```python
    from dataclasses import dataclass


    @dataclass
    class QueueMetrics:
        accepted: int = 0
        rejected: int = 0
        waiting: int = 0
        retried: int = 0

        def to_dict(self) -> dict[str, int]:
            return {  # <- DCF004
                "accepted": self.accepted,
                "rejected": self.rejected,
                "waiting": self.waiting,
            }
    ```

    ## Good
    `app/metrics.py`:

    ```python
    from dataclasses import asdict, dataclass


    @dataclass
    class QueueMetrics:
        accepted: int = 0
        rejected: int = 0
        waiting: int = 0
        retried: int = 0

        def to_dict(self) -> dict[str, int]:
            return asdict(self)
    ```

    ## Configuration
    None of its own.

    ## What it cannot see
    Dicts that are filled key by key, that other functions have a hand in, or that stand outside of the class.
    """
    for drift in classes_of(program).drifts:
        cls, names = drift.cls, drift.left_out
        noun = "field" if len(names) == 1 else "fields"
        yield Violation(
            path=cls.path,
            span=Span(drift.line),
            message=f"{cls.name}.{drift.method} leaves out the {noun} {listed(names)}",
            anchor=f"{cls.name}.{drift.method} without {listed(names)}",
            symbol=f"{cls.qualname}.{drift.method}",
            cause="Whatever is made of the dict does not have the value, and nothing says so.",
            help=f"Add {listed(names)} to the dict, or build it by dataclasses.asdict.",
            related=where(cls, f"{cls.name} is defined here"),
            lazy=True,
            data={"class": cls.qualname, "fields": list(names)},
        )
