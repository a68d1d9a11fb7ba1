"""What variables hold while set-up code is executed symbolically."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final, cast

import msgspec

from guard.checks.middleware_facts import Function
from guard.checks.middleware_stack import Choice, ClassAt, FunctionAt, Late, Layer, Node, Place
from guard.checks.modules import External

if TYPE_CHECKING:
    from guard.checks.middleware_framework import Framework


class Application:
    """An application while its layers are being added. Equal only to itself."""

    __slots__ = (
        "cls",
        "created",
        "depends",
        "endpoints",
        "framework",
        "futile",
        "given_state",
        "handed",
        "handlers",
        "kind",
        "late",
        "mounted_in",
        "opaque",
        "partial",
        "started",
    )

    def __init__(
        self, framework: Framework, kind: External, created: tuple[Place, ...], cls: ClassAt | None = None
    ) -> None:
        self.framework = framework
        self.kind = kind
        self.created = created
        self.cls = cls
        """The class of the tree that it is an instance of, where that is no class of the framework itself."""
        self.partial: dict[Place, None] = {}
        self.opaque = False
        self.handed = False
        self.given_state = False
        self.mounted_in: list[Application] = []
        self.handlers: list[tuple[str, Callee]] = []
        """What runs once the application does, and when."""
        self.endpoints: dict[FunctionAt, None] = {}
        self.depends = False
        self.started = False
        self.late: dict[Late, None] = {}
        self.futile: dict[Layer, None] = {}


class Instance:
    """An object of a class of the tree."""

    __slots__ = ("attributes", "cls")

    def __init__(self, cls: ClassAt) -> None:
        self.cls = cls
        self.attributes: dict[str, Value] = {}


class Listed:
    """A list. Its items are recorded like the layers of an application, so that branches keep them apart."""

    __slots__ = ()


class Item(msgspec.Struct, frozen=True):
    """An item of a list that is no layer, with where it stands."""

    value: Value
    place: Place


class Callee(msgspec.Struct, frozen=True):
    """A function of the tree: with the variables around it, and the object that it is bound to."""

    path: str
    function: Function
    around: Env | None = None
    bound: Value | None = None


class Opaque(msgspec.Struct, frozen=True):
    """A function of the tree that holds no set-up code: it can be a layer, and calling it gives nothing."""

    at: FunctionAt


class Method(msgspec.Struct, frozen=True):
    """A method of an application, a list or a dict, by name."""

    owner: Application | Listed | Mapped
    name: str


class Decorator(msgspec.Struct, frozen=True):
    """What `app.middleware("http")`, `app.on_event("startup")` and `app.get("/")` give."""

    app: Application
    registers: str = ""
    """What it makes of a function; empty for a layer."""


class Requested(msgspec.Struct, frozen=True):
    """A request that an application serves."""

    app: Application


class PartialCall(msgspec.Struct, frozen=True):
    """What `functools.partial` gives."""

    func: Value
    args: tuple[Value, ...]
    keywords: Mapping[str, Value]


class Mapped(msgspec.Struct, frozen=True):
    """A dict with names for keys. An `open` one may hold more."""

    items: Mapping[str, Item]
    open: bool = False


class Mounted(msgspec.Struct, frozen=True):
    """A route that holds an application."""

    app: Application


class Endpoint(msgspec.Struct, frozen=True):
    """A route that holds a function of the tree."""

    value: Callee | Opaque


class Extension(msgspec.Struct, frozen=True):
    """An object of a class of a package that a framework knows. A method of it is known by the class and its name."""

    cls: External


class Wrapped(msgspec.Struct, frozen=True):
    """What an application calls for every request, with layers around it; they are its own once it is set there."""

    app: Application
    nodes: tuple[Node, ...]


class Parent(msgspec.Struct, frozen=True):
    """`super()` in a method."""

    cls: ClassAt
    bound: Value


class Several(msgspec.Struct, frozen=True):
    """One of several values, by what decides it."""

    key: tuple[object, ...]
    place: Place
    options: tuple[tuple[str, Value], ...]


class Nothing(msgspec.Struct, frozen=True):
    """An unknown value; `text` is how it is written."""

    text: str = ""


Value = (
    Application
    | Instance
    | Listed
    | Item
    | Layer
    | Callee
    | Opaque
    | Method
    | Decorator
    | PartialCall
    | Mapped
    | Requested
    | Mounted
    | Endpoint
    | Extension
    | Wrapped
    | Parent
    | Several
    | ClassAt
    | External
    | Nothing
)

NOTHING = Nothing()


def applications_in(values: Iterable[Value]) -> Iterator[Application]:
    """The applications among some values, also those that one of them only may be."""
    for value in values:
        if isinstance(value, Item):
            yield from applications_in((value.value,))
        elif isinstance(value, Application):
            yield value
        elif isinstance(value, Several):
            yield from applications_in([option for _, option in value.options])


def flat(entries: Iterable[Entry]) -> Iterator[Value]:
    """All items of a list, those of every alternative."""
    for entry in entries:
        if isinstance(entry, Choice):
            for _, arm in entry.arms:
                yield from flat(arm)
        else:
            yield entry.value if isinstance(entry, Item) else entry


def one_of(values: Sequence[Value]) -> Value:
    """The one value that is returned; of several, the only one that is known."""
    distinct = distinct_values(value for value in values if not isinstance(value, Nothing))
    if len(distinct) == 1:
        return distinct[0]
    if len(distinct) > 1:
        return Several(("returned", len(distinct)), Place("", (0, 0, 0, 0), ""), tuple(("", v) for v in distinct))
    return NOTHING


def distinct_values(values: Iterable[Value]) -> list[Value]:
    """The values without repetition, in order."""
    distinct: list[Value] = []
    for value in values:
        if not any(value is other or value == other for other in distinct):
            distinct.append(value)
    return distinct


def merged(
    key: tuple[object, ...],
    place: Place,
    variables: Sequence[tuple[str, dict[str, Value]]],
    before: dict[str, Value],
) -> dict[str, Value]:
    """The variables behind a branch."""
    if not variables:
        return before
    if len(variables) == 1:
        return variables[0][1]
    behind: dict[str, Value] = {}
    for name in dict.fromkeys(name for _, values in variables for name in values):
        options = [(when, values.get(name, NOTHING)) for when, values in variables]
        distinct = distinct_values(value for _, value in options)
        behind[name] = distinct[0] if len(distinct) == 1 else Several(key, place, tuple(options))
    return behind


class Env:
    """The variables of one activation; `around` is that of the function that the code stands in."""

    __slots__ = ("around", "owner", "path", "self_value", "symbol", "values")

    def __init__(self, path: str, symbol: str, around: Env | None = None) -> None:
        self.path = path
        self.symbol = symbol
        self.around = around
        self.values: dict[str, Value] = {}
        self.self_value: Value | None = None
        self.owner: ClassAt | None = None
        """The class whose method runs, for `super()`."""

    def lookup(self, name: str) -> Value:
        """The value of a name here or in a function around."""
        env: Env | None = self
        while env is not None:
            if name in env.values:
                return env.values[name]
            env = env.around
        return NOTHING


Entry = Node | Item
"""What is recorded: a layer, an alternative, or an item of a list."""


BORN: Final = "born"


def choice(key: tuple[object, ...], place: Place, arms: tuple[tuple[str, tuple[Entry, ...]], ...]) -> Choice:
    """An alternative. Those of a list hold items, which are made layers before a stack is made of them."""
    return Choice(key, place, cast("tuple[tuple[str, tuple[Node, ...]], ...]", arms))


class Recorder:
    """Where layers go while alternatives are being executed: each arm records into a frame of its own.

    What is recorded belongs to a *sink*: an application with the name of one of its lists, or a `Listed`.
    """

    def __init__(self) -> None:
        self._frames: list[dict[tuple[object, str], list[Entry]]] = [{}]

    def add(self, owner: object, which: str, entries: Iterable[Entry]) -> None:
        """Record at the end of a sink."""
        self._frames[-1].setdefault((owner, which), []).extend(entries)

    def contents(self, owner: object, which: str) -> tuple[Entry, ...]:
        """All that was recorded on the way here."""
        return tuple(entry for frame in self._frames for entry in frame.get((owner, which), ()))

    def nodes(self, owner: object, which: str) -> tuple[Node, ...]:
        """The same of a sink that holds layers only."""
        return cast("tuple[Node, ...]", self.contents(owner, which))

    def born(self, owner: object) -> None:
        """Note that an owner comes into being here: in an arm, it exists only on that way, so what the arm records
        for it is no alternative to anything."""
        self._frames[-1].setdefault((owner, BORN), [])

    def push(self) -> None:
        """Begin an arm."""
        self._frames.append({})

    def pop(self) -> Mapping[tuple[object, str], Sequence[Entry]]:
        """End an arm; gives what was recorded in it."""
        return self._frames.pop()

    def choose(
        self,
        key: tuple[object, ...],
        place: Place,
        arms: Sequence[tuple[str, Mapping[tuple[object, str], Sequence[Entry]]]],
    ) -> None:
        """Record the arms of a branch as alternatives; a single one is no alternative."""
        if len(arms) == 1:
            for (owner, which), entries in arms[0][1].items():
                self.add(owner, which, entries)
            return
        sinks = dict.fromkeys(sink for _, recorded in arms for sink in recorded)
        for sink in sinks:
            home = next((recorded for _, recorded in arms if (sink[0], BORN) in recorded), None)
            if home is not None:
                self.add(sink[0], sink[1], home.get(sink, ()))
                continue
            options = tuple((when, tuple(recorded.get(sink, ()))) for when, recorded in arms)
            self.add(sink[0], sink[1], [choice(key, place, options)])

    def apart(self) -> _Apart:
        """Record outside of every arm for a while: what a module does when it is imported does not depend on the
        branch that imports it first."""
        return _Apart(self)

    def sinks(self) -> Iterator[tuple[object, str]]:
        """Every sink with something in it, at the end."""
        return iter(self._frames[0])


class _Apart:
    """See `Recorder.apart`."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._held: list[dict[tuple[object, str], list[Entry]]] = []

    def __enter__(self) -> None:
        self._held = self._recorder._frames[1:]
        del self._recorder._frames[1:]

    def __exit__(self, *_: object) -> None:
        self._recorder._frames.extend(self._held)
