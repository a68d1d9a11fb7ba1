"""What is remembered of one file about Django's settings: the statements that make up `MIDDLEWARE`, as a little
program that `django_settings` executes, and who names a settings module.

All structs are msgspec arrays with one-letter tags.
"""

from __future__ import annotations

import msgspec

from guard.checks.middleware_facts import Place4
from guard.checks.references import Ref


class Text(msgspec.Struct, frozen=True, array_like=True, tag="t"):
    """A string, with where it stands."""

    value: str
    place: Place4


class Name(msgspec.Struct, frozen=True, array_like=True, tag="n"):
    """A variable of the module."""

    name: str


class Taken(msgspec.Struct, frozen=True, array_like=True, tag="r"):
    """A variable of another module: `base.MIDDLEWARE`."""

    ref: Ref


class Listing(msgspec.Struct, frozen=True, array_like=True, tag="l"):
    """A list or tuple display. An item that is starred is a `Spread`."""

    items: tuple[Expr, ...]


class Spread(msgspec.Struct, frozen=True, array_like=True, tag="*"):
    """`*value` in a display."""

    value: Expr


class Sum(msgspec.Struct, frozen=True, array_like=True, tag="+"):
    """`left + right`."""

    left: Expr
    right: Expr


class Either(msgspec.Struct, frozen=True, array_like=True, tag="e"):
    """`then if test else otherwise`."""

    test: str
    line: int
    then: Expr
    otherwise: Expr


class Cut(msgspec.Struct, frozen=True, array_like=True, tag="c"):
    """`value[start:stop]`."""

    value: Expr
    start: int | None
    stop: int | None


class Without(msgspec.Struct, frozen=True, array_like=True, tag="w"):
    """`[one for one in value if one != "…"]`."""

    value: Expr
    names: tuple[str, ...]


class Truth(msgspec.Struct, frozen=True, array_like=True, tag="b"):
    """`True`, or `False` or `None`."""

    value: bool


class Unknown(msgspec.Struct, frozen=True, array_like=True, tag="u"):
    """Anything else."""


Expr = Text | Name | Taken | Listing | Spread | Sum | Either | Cut | Without | Truth | Unknown


class Let(msgspec.Struct, frozen=True, array_like=True, tag="="):
    """`name = value`, or `+=` with a `Sum`."""

    name: str
    value: Expr
    line: int


class Insert(msgspec.Struct, frozen=True, array_like=True, tag="i"):
    """`name.insert(at, value)`. `before` is the text of `name.index("…")`, to which `at` is added."""

    name: str
    at: int
    before: str
    value: Expr
    line: int


class Remove(msgspec.Struct, frozen=True, array_like=True, tag="-"):
    """`name.remove("…")`."""

    name: str
    text: str


class Forget(msgspec.Struct, frozen=True, array_like=True, tag="?"):
    """Something is done to a variable that cannot be followed; to every one where the name is empty."""

    name: str


class From(msgspec.Struct, frozen=True, array_like=True, tag="f"):
    """`from module import *`."""

    level: int
    module: str


class Arm(msgspec.Struct, frozen=True, array_like=True):
    """One way through a `Branch`, with when it is taken."""

    when: str
    body: tuple[Op, ...]


class Branch(msgspec.Struct, frozen=True, array_like=True, tag="|"):
    """`if`, `try` or `match`: one arm runs."""

    key: str
    line: int
    arms: tuple[Arm, ...]


Op = Let | Insert | Remove | Forget | From | Branch


class Naming(msgspec.Struct, frozen=True, array_like=True):
    """`DJANGO_SETTINGS_MODULE` is given a value."""

    module: str
    line: int


class SettingsFacts(msgspec.Struct, frozen=True, array_like=True):
    """What one file contributes."""

    ops: tuple[Op, ...] = ()
    """The statements of a module that concern its middleware, in order."""
    naming: tuple[Naming, ...] = ()
