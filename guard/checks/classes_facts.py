"""What is remembered of the classes of one file, and of the places that use classes of any file.

Compact, because the facts of every file are decoded in every run: a name that stands for something elsewhere is
an index into the file's own table of `Ref`s, an enclosing scope one into its table of qualified names, and -1 is
"not known". The body of a class, which few look at, is kept encoded, and decoded when somebody asks. Nothing here knows
dataclasses from other classes: what a decorator or a base makes of a class is decided when the program is linked, so
another kind of class needs no other facts.
"""

from __future__ import annotations

import enum
from typing import Final

import msgspec

from guard.checks.references import Ref

UNKNOWN: Final = -1
"""The index of what is not known."""


class ParameterKind(enum.IntEnum):
    """How an argument reaches a parameter."""

    POSITIONAL_ONLY = 0
    POSITIONAL = 1
    """By position or by name."""
    VAR_POSITIONAL = 2
    KEYWORD_ONLY = 3
    VAR_KEYWORD = 4


class Parameter(msgspec.Struct, frozen=True, array_like=True):
    """One parameter of a signature."""

    name: str
    kind: ParameterKind
    required: bool = True
    """False for one with a default, and for `*args` and `**kwargs`."""
    also: str = ""
    """Another name that a keyword argument may have instead: an alias."""


Signature = tuple[Parameter, ...]

Options = tuple[tuple[str, bool | str | None], ...]
"""Keyword arguments in order. The value is there where it is a literal bool or string, `...`, or the attribute of an
`Extra`; a display of a list, dict or set is `[]`. Positional arguments are there by number (`0`), keywords behind `**`
under that name."""


class Applied(msgspec.Struct, frozen=True, array_like=True):
    """A decorator, or the call that makes a field's default: `dataclass(frozen=True)`, `field(default=3)`."""

    ref: int
    called: bool = False
    positional: int = 0
    options: Options = ()
    opaque: bool = False
    """Whether `*` or `**` hide some of the arguments."""

    def option(self, name: str) -> bool | str | None:
        """The literal value of a keyword argument; None where it is missing or not a literal."""
        return next((value for given, value in self.options if given == name), None)

    def has(self, name: str) -> bool:
        """Whether a keyword argument is given."""
        return any(given == name for given, _ in self.options)


class Marker(enum.IntEnum):
    """What an annotation says of the name beside its type."""

    NONE = 0
    CLASS_VAR = 1
    INIT_VAR = 2
    KW_ONLY = 3
    BARE = 4
    """There is no annotation."""


class Value(enum.IntEnum):
    """What a class body gives a name, as far as it decides something."""

    NONE = 0
    PLAIN = 1
    ELLIPSIS = 2
    EMPTY = 3
    """An empty display of a list, dict or set."""
    FILLED = 4
    """A display or comprehension of a list, dict or set that is not empty."""


class Field(msgspec.Struct, frozen=True, array_like=True):
    """An annotated name of a class body, or one that is given the result of a call."""

    name: str
    line: int
    type: int = UNKNOWN
    """The class that the annotation names, `Optional` and the like taken off."""
    marker: Marker = Marker.NONE
    value: Value = Value.NONE
    maker: Applied | None = None
    """The call whose result is the value, where the value is a call."""
    conditional: bool = False
    """Whether it stands in a branch of the class body."""
    nullable: bool = False
    """Whether the annotation may allow None."""
    extras: tuple[Applied, ...] = ()
    """The calls in an annotation that is `Annotated[…]`."""
    plain: str = ""
    """The type, where the annotation is of plain values: see `classes_types.plain_name`."""

    @property
    def has_value(self) -> bool:
        """Whether the class body gives it a value."""
        return self.value is not Value.NONE


class Typed(msgspec.Struct, frozen=True, array_like=True):
    """The class of what methods assign to an attribute of `self`, None aside."""

    name: str
    type: int
    """UNKNOWN where the assignments do not agree on one class."""


class Serializer(msgspec.Struct, frozen=True, array_like=True):
    """A method that writes attributes of `self` into a dict by hand."""

    method: str
    line: int
    written: tuple[str, ...]
    """Keys that are given the attribute of that name."""
    read: tuple[str, ...]
    """Every attribute of `self` that it reads, itself or through the class's properties, and every key that it writes.
    Sorted."""
    values: str = ""
    """The type of the dict's values, where the annotation says one: see `classes_types.plain_name`."""


class Body(msgspec.Struct, frozen=True, array_like=True):
    """What stands in and around one class statement."""

    decorators: tuple[Applied, ...] = ()
    metaclass: int | None = None
    """None where none is given."""
    keywords: Options = ()
    """Keyword arguments of the class statement other than `metaclass`."""
    dynamic: bool = False
    """Whether attributes come to it in a way that names none: `setattr(self, name, …)`, `self.__dict__`, `locals()`."""
    names: tuple[str, ...] = ()
    """Bound in the class body to a value: assignments, methods, classes, imports; in branches too. Sorted."""
    fields: tuple[Field, ...] = ()
    """Annotated names of the class body, and those that are given the result of a call, in order."""
    assigned: tuple[str, ...] = ()
    """Attributes that methods assign on `self` or on the class, beyond `names` and `fields`. Sorted."""
    typed: tuple[Typed, ...] = ()
    """For the attributes of which at least one assignment tells a class. Sorted by name."""
    signatures: tuple[tuple[str, Signature | None], ...] = ()
    """Of `__init__`, `__new__` and `__post_init__` where the body binds them; None where the call is not bound by
    what is written: decorated, conditional, assigned."""
    settings: Options = ()
    """Of a class that is named `Config`: what its body assigns, as far as it is literal."""
    serializers: tuple[Serializer, ...] = ()
    valued: tuple[str, ...] = ()
    """Of an enumeration, by the look of its bases: names that are given a plain value. Sorted."""
    marks: tuple[str, ...] = ()
    """Decorators inside the class body that say something of its fields: `x.default`, `model_validator:before`."""


class ClassFacts(msgspec.Struct, frozen=True, array_like=True):
    """One class statement."""

    name: str
    """Qualified inside the file: `Outer.Inner`."""
    line: int
    bases: tuple[int, ...]
    body: msgspec.Raw
    """A `Body`."""
    lazy: bool = False
    """Whether it runs only when a function is called."""
    certain: bool = False
    """Whether it runs whenever the module does."""
    excused: bool = False
    """Whether it never runs, or is meant to fail."""
    decorated: bool = False


class Call(msgspec.Struct, frozen=True, array_like=True):
    """Calls of something that may be a class, in one file, whose arguments are written alike."""

    positional: int
    keywords: tuple[str, ...]
    starred: bool
    """Whether there is a `*iterable`."""
    double_starred: bool
    own: bool
    """Whether it is `cls(…)` in a method of the class, where a subclass may be what is called."""
    tried: bool
    """Whether code around it is prepared for a ValueError, which a ValidationError is."""
    places: tuple[int, ...]
    """Of the callee; as in `Use`."""


class Update(msgspec.Struct, frozen=True, array_like=True):
    """A call that copies an instance with other values: `dataclasses.replace(instance, name=…)`, or by a method."""

    places: tuple[int, ...]
    """One, of the callee; as in `Use`."""
    function: int
    """UNKNOWN where it is a method."""
    method: str
    """Its name; empty where it is a function."""
    type: int
    """The class of what the chain of the instance begins with."""
    path: str
    """The attributes of the chain, dotted."""
    exact: bool
    keywords: tuple[str, ...]


class Access(enum.IntEnum):
    """What is done to the last attribute of a chain."""

    LOAD = 0
    DELETE = 1
    AUGMENT = 2
    """`x.a += 1`: a read first."""
    STORE = 3


class Use(msgspec.Struct, frozen=True, array_like=True):
    """What a file does with the same attributes of receivers of one class, wherever it does it: the answer is the same
    for all of these places."""

    path: str
    """The attributes, dotted: `a.b` for `x.a.b`."""
    exact: bool
    """False where an instance of a subclass may be what is there."""
    access: Access
    value: str
    """What type of constant it is augmented by: `int`, `float`, `str`."""
    places: tuple[int, ...]
    """Four numbers for each: line, column and end column of the whole chain, receiver included, and twice the index of
    the scope, one more where it runs only when a function is called."""


Noted = dict[int, dict[tuple[str, bool, Access, str], list[int]]]
"""`Use`s while they are gathered, by the class of the receiver: the places by all the rest."""


class Write(msgspec.Struct, frozen=True, array_like=True):
    """An attribute that code outside the class's methods gives to a class or an instance."""

    type: int
    path: str
    opens: bool
    """Whether the last part of the path is not the name of an attribute, but stands for any number of them."""
    forced: bool = False
    """Whether no class can refuse it: it is the class that is given it, or the instance's own `__setattr__` is passed
    by."""


class Returning(msgspec.Struct, frozen=True, array_like=True):
    """A function whose annotation says what it returns."""

    name: str
    """Qualified inside the file."""
    type: int
    is_async: bool = False
    is_property: bool = False


RETURNED: Final = "()"
AWAITED: Final = "()!"
"""Behind the name of a function in a `Ref`: what a call of it gives, awaited or not."""


class ClassesFacts(msgspec.Struct, frozen=True, array_like=True):
    """Everything about classes in one file."""

    refs: tuple[Ref, ...] = ()
    scopes: tuple[str, ...] = ()
    classes: tuple[ClassFacts, ...] = ()
    calls: dict[int, list[Call]] = {}
    """By callee."""
    updates: tuple[Update, ...] = ()
    uses: dict[int, list[Use]] = {}
    """By the class of the receiver, those of one attribute."""
    chains: dict[int, list[Use]] = {}
    """By the class of the receiver, those of several attributes in a row."""
    stores: dict[int, list[Use]] = {}
    """By the class of the receiver, those whose last attribute is given a value, or deleted."""
    members: dict[int, list[Use]] = {}
    """By a name that may be that of an enumeration, uses of what is written like one of its members."""
    keys: dict[int, list[Use]] = {}
    """By the class of the receiver, those whose path is a literal key: `x["key"]` that is read."""
    writes: tuple[Write, ...] = ()
    returns: tuple[Returning, ...] = ()
    again: tuple[str, ...] = ()
    """Names that several class statements bind one after the other, and nothing else does: the last one counts."""
    loose: tuple[str, ...] = ()
    """Attribute names that this file assigns to, or asks for on, receivers of unknown class; of a
    constructor that is replaced, `C.__init__` too. Sorted."""
    set_by_name: tuple[str, ...] = ()
    """Attribute names in `setattr(…, "name", …)` and the like. Sorted."""
