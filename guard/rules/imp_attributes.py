"""Attributes of modules that are not there."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Final

from guard.checks.attributes import FAMILY
from guard.checks.module_attributes import MissingAttribute
from guard.checks.module_uses import AT_IMPORT
from guard.checks.modules import Modules
from guard.model import Related, Severity, Span, Violation
from guard.program import Program
from guard.registry import Depends, rule

_SIMILAR: Final = 75
"""Percent of likeness from which a name is offered as what may have been meant."""


@rule("IMP011", "missing-attribute", Severity.ERROR, depends=Depends.NAMES)
def missing_attribute(program: Program) -> Iterator[Violation]:
    """An attribute of a first-party module that the module does not have.

    ## What it does
    Follows names that imports bind to modules (`import a.b as m`, `import a.b`, `from a import b`) to what is read from
    them: `m.gone`, `a.b.gone`. The module has what it binds in any way, its submodules that something imports, and
    what any file of the tree sets on it.

    ## What breaks in production
    AttributeError when the line runs: when the file is imported for a decorator, a base class or a default, else when
    the function is called.

    ## Bad
    `app/__init__.py`:

    ```python
    ```

    `app/prices.py`:

    ```python
    def net_price(): ...
    ```

    `app/orders.py`:

    ```python
    from app import prices


    def total():
        return prices.price()  # <- IMP011
    ```

    ## Good
    `app/__init__.py`:

    ```python
    ```

    `app/prices.py`:

    ```python
    def net_price(): ...
    ```

    `app/orders.py`:

    ```python
    from app import prices


    def total():
        return prices.net_price()
    ```

    ## Configuration
    None.

    ## What it cannot see
    Names that are bound again, or only in a branch. Modules that may bind any name. Attributes that the file asks for
    with `hasattr` or `getattr`, or whose absence it catches. Names with a capital that `from` imports: they are
    seldom modules.
    """
    linked = program.linked(FAMILY)
    for missing in linked.missing:
        yield _violation(missing, linked.modules)


def _violation(missing: MissingAttribute, modules: Modules) -> Violation:
    use, name = missing.use, missing.attribute
    if missing.submodule:
        message = f"{missing.written} has no attribute {name}: nothing imports its module {name}"
        way_out = f"Import {missing.written}.{name} in this file."
        related = Related(missing.submodule, 1, "this module is there, but nothing imports it")
    elif missing.for_checkers:
        message = f"{missing.written} has no attribute {name} at run time"
        way_out = f"Import {name} outside of TYPE_CHECKING, or use it in annotations only."
        related = Related(missing.target.path, 1, f"binds {name} under TYPE_CHECKING only")
    else:
        message = f"{missing.written} has no attribute {name}"
        facts = modules.facts.get(missing.target.path)
        near = _near(name, frozenset(facts.names)) if facts is not None else ""
        way_out = f"Did you mean {near}?" if near else "Read what took its place, or bring it back."
        related = Related(missing.target.path, 1, f"the module that does not define {name}")
    lazy = not use.flags & AT_IMPORT
    when = (
        f"{use.symbol} raises" if lazy and use.symbol else "This raises" if lazy else f"Importing {missing.path} raises"
    )
    return Violation(
        path=missing.path,
        span=Span(use.line, use.column, use.end_line, use.end_column),
        message=message,
        anchor=f"{missing.written}.{name}",
        symbol=use.symbol,
        cause=f"{when} AttributeError.",
        help=way_out,
        related=(related,),
        lazy=lazy,
        data={"module": missing.written, "name": name},
    )


@cache
def _near(name: str, names: frozenset[str]) -> str:
    from rapidfuzz import fuzz, process  # a tenth of a second, and only findings need it

    found = process.extractOne(name, sorted(names), scorer=fuzz.ratio, score_cutoff=_SIMILAR)
    return found[0] if found is not None else ""
