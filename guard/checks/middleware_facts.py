"""What is remembered of one file about applications and their middleware.

Two things are kept, both small. *Set-up code*: the statements of a function or module that create applications, hand
them on, or add layers to them, as a little program that `middleware_run` executes symbolically, whole program at
hand. *Request code*: which parts of the request (`session`, `user`, `auth`, `state.x`) a function reads and sets, and
to whom it hands the request on.

All structs are msgspec arrays with one-letter tags; expressions and statements nest as the code does.
"""

from __future__ import annotations

import msgspec

from guard.checks.references import Ref

Place4 = tuple[int, int, int, int]
"""Line, column, end line, end column; columns from 1."""


class Var(msgspec.Struct, frozen=True, array_like=True, tag="v"):
    """A local name of the function, or of one around it."""

    name: str


class Global(msgspec.Struct, frozen=True, array_like=True, tag="g"):
    """A variable of the module: bound by assignment, or in more than one way."""

    name: str


class Free(msgspec.Struct, frozen=True, array_like=True, tag="r"):
    """An import, or a class or function of the file."""

    ref: Ref


class Def(msgspec.Struct, frozen=True, array_like=True, tag="d"):
    """A function or class defined inside a function, by qualified name."""

    name: str


class Attr(msgspec.Struct, frozen=True, array_like=True, tag="a"):
    """`base.name`."""

    base: Expr
    name: str


class Call(msgspec.Struct, frozen=True, array_like=True, tag="c"):
    """A call. Keyword arguments whose value nothing can be made of are left out; `**` stands for those of a dict."""

    func: Expr
    args: tuple[Expr, ...]
    keywords: tuple[tuple[str, Expr], ...]
    place: Place4
    given: str = ""
    """Where a layer is added: its arguments as written. A `?` in front says that another call may give them other
    values."""


class Items(msgspec.Struct, frozen=True, array_like=True, tag="l"):
    """A list or tuple display; `places` are those of its items."""

    items: tuple[Expr, ...]
    places: tuple[Place4, ...]


class Joined(msgspec.Struct, frozen=True, array_like=True, tag="j"):
    """`left + right`, or a display with a starred item."""

    left: Expr
    right: Expr


class Either(msgspec.Struct, frozen=True, array_like=True, tag="e"):
    """`then if test else otherwise`."""

    test: str
    line: int
    then: Expr
    otherwise: Expr


class Starred(msgspec.Struct, frozen=True, array_like=True, tag="t"):
    """`*value` among the arguments of a call."""

    value: Expr


class Each(msgspec.Struct, frozen=True, array_like=True, tag="f"):
    """`[element for targets in source]`."""

    targets: tuple[str, ...]
    source: Expr
    element: Expr
    place: Place4


class Table(msgspec.Struct, frozen=True, array_like=True, tag="m"):
    """A dict display. A key that is no string is the empty one."""

    keys: tuple[str, ...]
    values: tuple[Expr, ...]
    places: tuple[Place4, ...]


class Named(msgspec.Struct, frozen=True, array_like=True, tag="n"):
    """`target := value`."""

    target: Expr
    value: Expr


class Super(msgspec.Struct, frozen=True, array_like=True, tag="s"):
    """`super()`."""


class Unknown(msgspec.Struct, frozen=True, array_like=True, tag="u"):
    """Anything else, as it is written where it may have to be named; mostly empty."""

    text: str = ""


Expr = (
    Var | Global | Free | Def | Attr | Call | Items | Joined | Either | Starred | Each | Table | Named | Super | Unknown
)


class Let(msgspec.Struct, frozen=True, array_like=True, tag="="):
    """`target = value`; the target is a `Var`, a `Global` or an `Attr`."""

    target: Expr
    value: Expr
    outer: bool = False
    """It is a variable of a function around this one: `nonlocal`."""


class Do(msgspec.Struct, frozen=True, array_like=True, tag="!"):
    """An expression that is evaluated for what it does."""

    value: Expr


class Return(msgspec.Struct, frozen=True, array_like=True, tag=">"):
    """`return value`."""

    value: Expr


class Stop(msgspec.Struct, frozen=True, array_like=True, tag="x"):
    """`raise`: no application comes of this path."""


class Arm(msgspec.Struct, frozen=True, array_like=True):
    """One way through a `Branch`. `when` says in words when it is taken."""

    when: str
    body: tuple[Op, ...]


class Branch(msgspec.Struct, frozen=True, array_like=True, tag="?"):
    """`if`, `try` or `match`: exactly one arm runs.

    `key` is equal for two branches that are decided by the same test; empty where the test may change its mind.
    """

    key: str
    line: int
    arms: tuple[Arm, ...]


class Loop(msgspec.Struct, frozen=True, array_like=True, tag="*"):
    """`for targets in source`; a `while` has no targets and an unknown source."""

    targets: tuple[str, ...]
    source: Expr
    line: int
    body: tuple[Op, ...]


Op = Let | Do | Return | Stop | Branch | Loop


class Function(msgspec.Struct, frozen=True, array_like=True):
    """The set-up code of one function; the module's own has the empty name, that of a class body the class's name with
    a dot behind it. Parameters that take the rest are `*name` and `**name`."""

    name: str
    params: tuple[str, ...]
    body: tuple[Op, ...]
    line: int = 0
    handed: tuple[tuple[str, str], ...] = ()
    """Parameters that are annotated as an application, each with the last name of its class."""
    binding: str = "instance"
    """What the first parameter of a method gets: `instance`, `class` or `static`; that of a `property` an instance."""
    defaults: tuple[tuple[str, Expr], ...] = ()
    """The parameters whose default is something that may matter."""


class Touch(msgspec.Struct, frozen=True, array_like=True):
    """One use of a part of the request.

    `how`: `read`, `hasattr`, `getattr` (with a default), `set`. `after` is True where the inner layers may have run
    already, `caught` where a handler around it swallows the failure, `spared` where one swallows an AttributeError.
    """

    param: str
    part: str
    how: str
    place: Place4
    after: bool = False
    caught: bool = False
    spared: bool = False


class Handoff(msgspec.Struct, frozen=True, array_like=True):
    """A call of a helper. `args` pairs the helper's parameter (a position or a keyword) with the caller's own."""

    func: Expr
    args: tuple[tuple[int | str, str], ...]
    after: bool = False
    caught: bool = False
    narrowed: bool = False
    """Only some requests come here."""
    spared: bool = False


class Flow(msgspec.Struct, frozen=True, array_like=True):
    """What one function does with the requests that it is handed."""

    name: str
    params: tuple[str, ...]
    touches: tuple[Touch, ...] = ()
    handoffs: tuple[Handoff, ...] = ()
    refuses: tuple[Place4, ...] = ()
    """Where it answers by itself with a response of status 401 or 403, and not only to requests
    that ask for something special."""
    raises: tuple[Place4, ...] = ()
    """Where it raises an HTTP 401 or 403 that nothing in it catches."""
    spares_options: bool = False
    """It knows of the method OPTIONS."""
    writes_cors: bool = False
    """It knows of CORS headers."""
    yields_state: bool = False
    """A lifespan that yields a state, which every request is given."""
    served: str = ""
    """What its file registers it as: `http` or `websocket` for an endpoint, `dependency`."""
    request: str = ""
    """The parameter that is annotated with one of the framework's own requests."""
    bare: str = ""
    """The first parameter, where it has no annotation: the request of a Starlette endpoint."""
    catches: bool = False
    """It answers by itself where the inner layers fail, whatever the exception."""
    place: Place4 = (0, 0, 0, 0)
    """Where an endpoint is defined: its name."""
    trusts: bool = False
    """An endpoint that nothing in it and no dependency of it checks anything for."""


class Class(msgspec.Struct, frozen=True, array_like=True):
    """A class that may be a layer, a helper of one, an application, or hold one."""

    name: str
    bases: tuple[Expr, ...]
    methods: tuple[str, ...]
    line: int


class Facts(msgspec.Struct, frozen=True, array_like=True):
    """What one file contributes."""

    functions: tuple[Function, ...] = ()
    flows: tuple[Flow, ...] = ()
    classes: tuple[Class, ...] = ()
    dependencies: tuple[Ref, ...] = ()
    """What stands in a `Depends(…)` and comes from another module."""
