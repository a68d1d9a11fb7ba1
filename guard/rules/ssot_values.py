"""Bodies and values that are written down more than once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from guard.duplicates import duplicates_of
from guard.duplicates.values import same_bodies, same_values
from guard.model import Gate, Related, Severity, Span, Violation
from guard.program import Program
from guard.registry import rule

_CI: Final = (Gate.CI,)


@rule("SSOT004", "same-body", Severity.WARNING, gates=_CI, impact_aware=False)
def same_body(program: Program) -> Iterator[Violation]:
    """Two classes or functions of different names with one body.

    ## What it does
    Compares the bodies of more than eight statements of all classes and functions that production modules define at
    their top level, without their own names, comments and docstrings. Each that is the same as one of another name is a
    finding; definitions of one name are SSOT001.

    ## What breaks in production
    What is mended in one stays broken in the other, and no search for the name finds it.

    ## Bad
    `app/__init__.py`:

    ```python
    ```

    `app/billing.py`:

    ```python
    def invoice_total(rows):
        total = 0
        for row in rows:
            if row.cancelled:
                continue
            amount = row.price * row.count
            if row.discount:
                amount -= row.discount
            amount = round(amount, 2)
            total += amount
        return total
    ```

    `app/orders.py`:

    ```python
    def order_sum(rows):  # <- SSOT004
        total = 0
        for row in rows:
            if row.cancelled:
                continue
            amount = row.price * row.count
            if row.discount:
                amount -= row.discount
            amount = round(amount, 2)
            total += amount
        return total
    ```

    ## Good
    `app/__init__.py`:

    ```python
    ```

    `app/billing.py`:

    ```python
    def invoice_total(rows):
        total = 0
        for row in rows:
            if row.cancelled:
                continue
            amount = row.price * row.count
            if row.discount:
                amount -= row.discount
            amount = round(amount, 2)
            total += amount
        return total
    ```

    `app/orders.py`:

    ```python
    from app.billing import invoice_total


    def order_sum(order):
        return invoice_total(order.rows)
    ```

    ## Configuration
    None.

    ## What it cannot see
    Bodies that differ in any name or value.
    """
    for found in same_bodies(duplicates_of(program)):
        own, first = found.defined, found.first
        yield Violation(
            path=found.path,
            span=Span(own.line, own.column, own.line, own.end_column),
            message=f"{own.name} has the same body as {first.name} in {found.first_path}:{first.line}",
            anchor=f"{own.name} {first.name}",
            symbol=own.name,
            cause="What is mended in one stays broken in the other.",
            help="Keep one of them, and let the other name stand for it.",
            related=(Related(found.first_path, first.line, f"{first.name}, {first.statements} statements"),),
            data={"name": own.name, "other": first.name, "statements": own.statements},
        )


@rule("SSOT005", "duplicated-constant", Severity.INFO, gates=_CI, impact_aware=False)
def duplicated_constant(program: Program) -> Iterator[Violation]:
    """A constant that several production modules have with the same name and the same value.

    ## What it does
    Compares public names in capitals that production modules bind once, at their top level, to a literal that is no
    chance: a text of eight characters or more, a number above ten, a collection of several literals. Files of one name
    in folders side by side, as those of locales are, are variants of one thing, and not compared with one another.

    ## What breaks in production
    The value is changed in one place and not in the others.

    ## Bad
    `app/__init__.py`:

    ```python
    ```

    `app/gateway.py`:

    ```python
    SESSION_COOKIE = "chat-session-id"
    ```

    `app/socket.py`:

    ```python
    SESSION_COOKIE = "chat-session-id"  # <- SSOT005
    ```

    ## Good
    `app/__init__.py`:

    ```python
    ```

    `app/gateway.py`:

    ```python
    SESSION_COOKIE = "chat-session-id"
    LIMIT = 2
    ```

    `app/socket.py`:

    ```python
    from app.gateway import SESSION_COOKIE

    LIMIT = 2
    ```

    ## Configuration
    None.

    ## What it cannot see
    The same value under another name, and values that are computed.
    """
    for found in same_values(program, duplicates_of(program)):
        own, first = found.constant, found.first
        yield Violation(
            path=found.path,
            span=Span(own.line, own.column, own.line, own.end_column),
            message=f"{own.name} = {own.shown} is also in {found.first_path}:{first.line}",
            anchor=f"{own.name} = {own.digest}",
            symbol=own.name,
            cause=f"{found.modules} modules have it: a change of one is none of the others.",
            help=f"Import {own.name} from {found.first_path}.",
            related=(Related(found.first_path, first.line, "the same name and value"),),
            data={"name": own.name, "modules": found.modules},
        )
