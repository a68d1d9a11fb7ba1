"""Calls in set-up code: what each kind of callee does with the applications and lists that it is handed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from guard.checks import middleware_known as known
from guard.checks.middleware_facts import Call, Expr, Function, Starred
from guard.checks.middleware_frameworks import FRAMEWORKS, STARLETTE, framework_of
from guard.checks.middleware_stack import Choice, ClassAt, FunctionAt, Late, Layer, Node, Origin, Place, layers
from guard.checks.middleware_values import (
    NOTHING,
    Application,
    Callee,
    Decorator,
    Entry,
    Env,
    Instance,
    Item,
    Listed,
    Mapped,
    Method,
    Nothing,
    Opaque,
    Parent,
    PartialCall,
    Several,
    Value,
    Wrapped,
    applications_in,
    choice,
)
from guard.checks.modules import External

if TYPE_CHECKING:
    from guard.checks.middleware_run import Run

_MOST_VALUES = 16
_BUILTINS = frozenset({"reversed", "enumerate", "list", "tuple", "dict"})


class Calls:
    """Executes calls for one `Run`; what frameworks execute theirs with."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._given = ""

    def call(self, call: Call, env: Env) -> Value:
        """What a call does and gives."""
        run = self.run
        func = run.value(call.func, env)
        args = list(self._positional(call.args, env))
        keywords: dict[str, Value] = {}
        for name, expr in call.keywords:
            value = run.value(expr, env)
            if name == "**" and isinstance(value, Mapped):
                keywords.update((key, item.value) for key, item in value.items.items())
                if not value.open:
                    continue
            keywords[name] = value
        place = run.place(env, call.place)
        self._given = call.given
        if isinstance(func, Several):
            options = [self._apply(option, args, keywords, place) for _, option in func.options[:_MOST_VALUES]]
            distinct = [value for value in options if not isinstance(value, Nothing)]
            return distinct[0] if len(distinct) == 1 else NOTHING
        return self._apply(func, args, keywords, place)

    def _positional(self, args: Sequence[Expr], env: Env) -> Iterator[Value]:
        """The positional arguments; of a list behind a star its items, as far as they are known."""
        run = self.run
        for arg in args:
            if not isinstance(arg, Starred):
                yield run.value(arg, env)
                continue
            entries = run.entries(run.value(arg.value, env))
            if entries is None or any(isinstance(entry, Choice) for entry in entries):
                yield NOTHING
                return
            for entry in entries:
                if not isinstance(entry, Choice):
                    yield entry

    def as_items(self, values: Sequence[Value], function: Function, env: Env) -> Iterator[Entry]:
        """Values as what a list holds."""
        place = Place(env.path, (function.line, 1, function.line, 1), env.symbol)
        for value in values:
            yield value if isinstance(value, Item | Layer) else Item(value, place)

    def _apply(self, func: Value, args: Sequence[Value], keywords: Mapping[str, Value], place: Place) -> Value:
        run = self.run
        wrapped = self._wrapped(func, args, keywords, place)
        if wrapped is not None:
            return wrapped
        if isinstance(func, Callee):
            chain, run.chain = run.chain, (*run.chain, place)
            value = run.invoke(func, args, keywords)
            run.chain = chain
            return value
        if isinstance(func, Method):
            return self._method(func, args, keywords, place)
        if isinstance(func, Decorator):
            value = args[0] if args else NOTHING
            if func.registers:
                self.register(func.app, func.registers, value)
            else:
                self.add(func.app, "added", self.layers(value, place, "decorator"))
            return value
        if isinstance(func, External):
            return self._external(func, args, keywords, place)
        if isinstance(func, ClassAt):
            return self._class(func, args, keywords, place)
        if isinstance(func, PartialCall):
            return self._apply(func.func, (*func.args, *args), {**func.keywords, **keywords}, place)
        if isinstance(func, Nothing):
            if func.text in _BUILTINS:
                return self._builtin(func.text, args, keywords, place)
            self._mark_all((*args, *keywords.values()), place)
        # A function of the tree that holds no set-up code (`Opaque`) adds nothing that could be seen.
        return NOTHING

    def _wrapped(self, func: Value, args: Sequence[Value], keywords: Mapping[str, Value], place: Place) -> Value | None:
        """What wraps `app.wsgi_app`, which it is handed first."""
        inner = self.run.plain(args[0] if args else keywords.get("app", NOTHING))
        if isinstance(inner, Several):
            rest = {name: value for name, value in keywords.items() if name != "app"}
            made = [(when, self._wrapped(func, (one, *args[1:]), rest, place)) for when, one in inner.options]
            if all(one is None for _, one in made):
                return None
            return Several(inner.key, inner.place, tuple((when, one or NOTHING) for when, one in made))
        if isinstance(inner, Wrapped):
            app, nodes = inner.app, inner.nodes
        elif isinstance(inner, Method) and isinstance(inner.owner, Application):
            app, nodes = inner.owner, ()
            if inner.name != app.framework.served:
                return None
        else:
            return None
        if isinstance(func, Callee):
            chain, self.run.chain = self.run.chain, (*self.run.chain, place)
            value = self.run.plain(self.run.invoke(func, args, keywords))
            self.run.chain = chain
            if isinstance(value, Wrapped):
                return value
        return Wrapped(app, (*nodes, *self.layers(func, place, "wrap")))

    def _builtin(self, name: str, args: Sequence[Value], keywords: Mapping[str, Value], place: Place) -> Value:
        """`reversed(…)` and the like, of a list that is known."""
        run = self.run
        if name == "dict":
            if args:
                return NOTHING
            items = {key: Item(value, place) for key, value in keywords.items() if key != "**"}
            return Mapped(items, "**" in keywords)
        entries = run.entries(args[0]) if args else None
        if entries is None:
            return NOTHING
        if name == "reversed":
            return run.listed(_turned(entries))
        if name == "enumerate":
            return run.listed(self._rows(entries, place))
        return run.listed(entries)

    def _rows(self, entries: Sequence[Entry], place: Place) -> Iterator[Entry]:
        """Pairs of something and an entry."""
        for entry in entries:
            if isinstance(entry, Choice):
                arms = tuple((when, tuple(self._rows(arm, place))) for when, arm in entry.arms)
                yield choice(entry.key, entry.place, arms)
            else:
                yield Item(self.run.listed([Item(NOTHING, place), entry]), place)

    # Applications

    def _method(self, method: Method, args: Sequence[Value], keywords: Mapping[str, Value], place: Place) -> Value:
        run = self.run
        owner, name = method.owner, method.name
        if isinstance(owner, Listed):
            return self._list_method(owner, name, args, place)
        if isinstance(owner, Mapped):
            values = tuple(owner.items.values())
            if owner.open or name not in ("items", "values"):
                return NOTHING
            return run.listed(values if name == "values" else self._rows(values, place))
        if name == "__init__":
            owner.framework.construct(self, owner, (args, keywords), place)
            return NOTHING
        return owner.framework.method(self, owner, name, (args, keywords), place)

    def add(self, app: Application, which: str, nodes: Sequence[Node]) -> None:
        """Add layers to one of an application's lists; to an application that runs already, none can be."""
        if not app.started:
            self.run.recorder.add(app, which, nodes)
            return
        for layer in layers(nodes):
            app.late[Late(layer, self.run.stage)] = None

    def register(self, app: Application, kind: str, value: Value) -> None:
        """A function that runs once the application does."""
        if isinstance(value, Item):
            value = value.value
        if isinstance(value, Callee):
            app.handlers.append((kind if kind.endswith(("handler", "lifespan")) else "request handler", value))
        if kind in ("http", "websocket") and isinstance(value, Callee | Opaque):
            at = value.at if isinstance(value, Opaque) else FunctionAt(value.path, value.function.name)
            app.endpoints[at] = None

    def layers(self, value: Value, place: Place, means: str, helpers: tuple[ClassAt, ...] = ()) -> tuple[Node, ...]:
        """The layer that something makes which an application is given at a place; alternatives where there are
        some."""
        chain = (*self.run.chain, place)
        if isinstance(value, Item):
            return self.layers(value.value, value.place if value.place.path else place, means, helpers)
        if isinstance(value, Layer):
            return (value,)
        if isinstance(value, Several):
            arms = tuple((when, self.layers(option, place, means, helpers)) for when, option in value.options)
            return (Choice(value.key, value.place, arms),)
        origin: Origin = None
        name = ""
        if isinstance(value, ClassAt):
            origin, name = value, value.name.rpartition(".")[2].partition("@")[0]
        elif isinstance(value, Instance):
            # An object with `__call__(request, call_next)` as the dispatch function.
            origin, name = FunctionAt(value.cls.path, f"{value.cls.name}.__call__"), value.cls.name.rpartition(".")[2]
        elif isinstance(value, External):
            origin, name = value, value.name.rpartition(".")[2]
        elif isinstance(value, Callee):
            origin = FunctionAt(value.path, value.function.name)
            name = origin.name.rpartition(".")[2].partition("@")[0]
        elif isinstance(value, Opaque):
            origin, name = value.at, value.at.name.rpartition(".")[2].partition("@")[0]
        elif isinstance(value, Nothing):
            name = value.text.rpartition(".")[2]
        return (Layer(name, origin, chain, means, helpers, self._given if means != "decorator" else ""),)

    def as_layers(self, entries: Sequence[Entry], place: Place, means: str) -> tuple[Node, ...]:
        """The items of a list as layers."""
        nodes: list[Node] = []
        for entry in entries:
            if isinstance(entry, Layer):
                nodes.append(entry)
            elif isinstance(entry, Choice):
                arms = tuple((when, self.as_layers(arm, place, means)) for when, arm in entry.arms)
                nodes.append(Choice(entry.key, entry.place, arms))
            else:
                nodes.extend(self.layers(entry, place, means))
        return tuple(nodes)

    # Lists

    def _list_method(self, owner: Listed, name: str, args: Sequence[Value], place: Place) -> Value:
        run = self.run
        if name == "append" and args:
            run.recorder.add(owner, "items", self._listed(args[0], place))
        elif name == "insert" and len(args) > 1:
            # Only `insert(0, …)` is common; another position cannot be told, so the layer counts as the first.
            run.recorder.add(owner, "front", self._listed(args[1], place))
        elif name == "extend" and args:
            run.recorder.add(owner, "items", run.entries(args[0]) or (Item(NOTHING, place),))
        return NOTHING

    @staticmethod
    def _listed(value: Value, place: Place) -> tuple[Entry, ...]:
        return (value,) if isinstance(value, Layer) else (Item(value, place),)

    # Classes

    def _external(self, thing: External, args: Sequence[Value], keywords: Mapping[str, Value], place: Place) -> Value:
        run = self.run
        given = (args, keywords)
        framework = framework_of(thing)
        if framework is not None:
            app = run.new_application(framework, thing, (*run.chain, place))
            framework.construct(self, app, given, place)
            return app
        for framework in FRAMEWORKS:
            made = framework.external(self, thing, given, place)
            if made is not None:
                return made
        if known.is_partial(thing) and args:
            return PartialCall(args[0], tuple(args[1:]), keywords)
        if known.is_layer(thing):
            return self._wrap(thing, args, keywords, place)
        if not any(framework.is_own(thing) for framework in FRAMEWORKS):
            self._mark_all((*args, *keywords.values()), place)
        return NOTHING

    def _wrap(
        self, value: ClassAt | External, args: Sequence[Value], keywords: Mapping[str, Value], place: Place
    ) -> Value:
        """`Wrapper(app, …)`: a layer outside of all of the application's own."""
        run = self.run
        inner = args[0] if args else keywords.get("app", NOTHING)
        helpers = tuple(v.cls for v in (*args[1:], *keywords.values()) if isinstance(v, Instance))
        for app in applications_in((inner,)):
            run.recorder.add(app, "wraps", self.layers(value, place, "wrap", helpers))
        return inner

    def _class(self, at: ClassAt, args: Sequence[Value], keywords: Mapping[str, Value], place: Place) -> Value:
        run = self.run
        kind = run.sources.application_kind(at)
        if kind is not None:
            framework = framework_of(kind) or STARLETTE
            app = run.new_application(framework, kind, (*run.chain, place), at)
            if not self._initialise(at, app, args, keywords, place):
                framework.construct(self, app, (args, keywords), place)
            return app
        inner = args[0] if args else keywords.get("app", NOTHING)
        if run.sources.is_layer(at) and list(applications_in((inner,))):
            return self._wrap(at, args, keywords, place)
        instance = Instance(at)
        self._initialise(at, instance, args, keywords, place)
        return instance

    def _initialise(
        self, at: ClassAt, bound: Value, args: Sequence[Value], keywords: Mapping[str, Value], place: Place
    ) -> bool:
        """Run a class's own `__init__`, if it has one."""
        init = self.run.method(at, "__init__", bound)
        if init is None:
            return False
        self._apply(init, args, keywords, place)
        return True

    def parent_method(self, parent: Parent, name: str) -> Value:
        """`super().name`."""
        run = self.run
        cls = parent.bound.cls if isinstance(parent.bound, Application | Instance) else None
        if cls is not None:
            found = run.method(cls, name, parent.bound, behind=parent.cls)
            if found is not None:
                return found
        return Method(parent.bound, name) if isinstance(parent.bound, Application) else NOTHING

    def _mark_all(self, values: Sequence[Value], place: Place) -> None:
        """Unknown code has been handed these: what it does to applications among them is not known."""
        for app in applications_in(values):
            app.partial[place] = None


def _turned(entries: Sequence[Entry]) -> Iterator[Entry]:
    for entry in reversed(entries):
        if isinstance(entry, Choice):
            yield choice(entry.key, entry.place, tuple((when, tuple(_turned(arm))) for when, arm in entry.arms))
        else:
            yield entry
