"""Flask: hooks of applications and blueprints, and what is wrapped around `app.wsgi_app`.

A request comes through the wrappers, then through the functions of `before_request` in the order in which they were
registered; the answer goes back through those of `after_request` in the opposite order, also where one of the first
kind has answered by itself, and those of `teardown_request` run last, whatever happens. So each kind stands outside of
the one before it, and in each one the first that was registered is the outermost.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

import msgspec

from guard.checks import middleware_flask_extensions
from guard.checks.middleware_flask_extensions import ADDS
from guard.checks.middleware_framework import Arguments, Framework
from guard.checks.middleware_stack import Choice, Node, Place, reverse
from guard.checks.middleware_values import (
    NOTHING,
    Application,
    Extension,
    Item,
    Method,
    Recorder,
    Several,
    Value,
    Wrapped,
    applications_in,
)
from guard.checks.modules import External

if TYPE_CHECKING:
    from guard.checks.middleware_calls import Calls

_APPLICATIONS: Final = frozenset({"flask.Flask", "flask.app.Flask", "apiflask.APIFlask"})
_BLUEPRINTS: Final = frozenset({"flask.Blueprint", "flask.blueprints.Blueprint", "apiflask.APIBlueprint"})
_KINDS: Final = ("before_request", "after_request", "teardown_request")
_HOOKS: Final[Mapping[str, tuple[str, str]]] = {
    **{kind: (kind, kind) for kind in _KINDS},
    **{kind.replace("_", "_app_"): (f"app {kind}", kind) for kind in _KINDS},
}
"""By method: the list that it adds to, and what it adds. What a blueprint adds for a whole application waits until it
is registered there."""


class Flask(Framework):
    """Flask's applications, and blueprints as parts of them."""

    name = "flask"
    packages = ("flask",)
    signs = (b"flask", b"before_request")
    faint_signs = ((b"(app", rb"\(app(?:[,)]|\.wsgi_app)"),)
    classes = frozenset({"Flask", "Blueprint", "APIFlask", "APIBlueprint"})
    mounts = frozenset({"register_blueprint"})
    methods = frozenset({*_HOOKS, *mounts})
    decorators = frozenset(_HOOKS)
    extensions = middleware_flask_extensions.CLASSES
    attaching = frozenset({"init_app"})
    attributes = frozenset({"wsgi_app"})
    served = "wsgi_app"
    kinds = ("wrap", *_KINDS)
    first_is_outermost = True
    inert = frozenset({"add_url_rule", "errorhandler", "register_error_handler", "test_client", "app_context", "cli"})

    def is_application(self, thing: External) -> bool:
        """Whether it is the class of an application or a blueprint."""
        return f"{thing.module}.{thing.name}" in _APPLICATIONS or self.is_part(thing)

    def is_part(self, kind: External) -> bool:
        """Whether it is the class of a blueprint."""
        return f"{kind.module}.{kind.name}" in _BLUEPRINTS

    def made_by(self, name: str) -> External:
        """By the name: an application or a blueprint."""
        return External("flask", "Blueprint" if name.endswith("Blueprint") else "Flask")

    def spoken(self, kind: External) -> str:
        """`flask` or `blueprint`."""
        return "blueprint" if self.is_part(kind) else self.name

    def method(self, calls: Calls, app: Application, name: str, given: Arguments, place: Place) -> Value:
        """Hooks, and blueprints that are registered."""
        args, keywords = given
        hook = _HOOKS.get(name)
        if hook is not None:
            which, means = hook
            value = args[0] if args else keywords.get("f", NOTHING)
            calls.add(app, which, calls.layers(value, place, means))
            return value
        if name == "register_blueprint":
            for part in applications_in((*args[:1], keywords.get("blueprint", NOTHING))):
                self._register(calls, app, part, place)
        return NOTHING

    def external(self, calls: Calls, thing: External, given: Arguments, place: Place) -> Value | None:
        """Extensions: by `Extension(app)`, and by `extension.init_app(app)` later."""
        name = f"{thing.module}.{thing.name}"
        if name in ADDS:
            self._extend(calls, thing, given, place)
            return Extension(thing)
        base, _, method = thing.name.rpartition(".")
        if f"{thing.module}.{base}" not in ADDS:
            return None
        if method in self.attaching:
            self._extend(calls, External(thing.module, base), given, place)
        return NOTHING

    def _extend(self, calls: Calls, extension: External, given: Arguments, place: Place) -> None:
        """What an extension adds to the applications that it is handed."""
        args, keywords = given
        for app in applications_in((*args, *keywords.values())):
            for means in ADDS[f"{extension.module}.{extension.name}"]:
                calls.add(app, "wraps" if means == "wrap" else means, calls.layers(extension, place, means))

    def _register(self, calls: Calls, app: Application, part: Application, place: Place) -> None:
        """A second time it is only known by another name: what it adds for the application is there already."""
        if app in part.mounted_in:
            return
        part.mounted_in.append(app)
        for kind in _KINDS:
            waiting = calls.run.recorder.nodes(part, f"app {kind}")
            if waiting:
                led = tuple(_led(waiting, (*calls.run.chain, place)))
                calls.add(app, f"app {kind}" if self.is_part(app.kind) else kind, led)

    def assign(self, calls: Calls, app: Application, name: str, value: Value) -> None:
        """`app.wsgi_app = Wrapper(app.wsgi_app)`."""
        if name == self.served:
            nodes = list(_wrapping(value, app))
            if None in nodes:
                app.opaque = True
            calls.add(app, "wraps", [node for node in nodes if node is not None])

    def stack(self, recorder: Recorder, app: Application) -> tuple[tuple[Node, ...], tuple[Node, ...]]:
        """See the module."""
        nodes = tuple(node for kind in _KINDS for node in reverse(recorder.nodes(app, kind)))
        return nodes, recorder.nodes(app, "wraps")


def _led(nodes: Sequence[Node], way: tuple[Place, ...]) -> Iterator[Node]:
    """Layers that are added by way of some more calls."""
    for node in nodes:
        if isinstance(node, Choice):
            arms = tuple((when, tuple(_led(arm, way))) for when, arm in node.arms)
            yield Choice(node.key, node.place, arms)
        else:
            yield msgspec.structs.replace(node, chain=(*way, *node.chain))


def _wrapping(value: Value, app: Application) -> Iterator[Node | None]:
    """The layers around an application that some value stands for; None where they are not known."""
    if isinstance(value, Item):
        yield from _wrapping(value.value, app)
    elif isinstance(value, Wrapped) and value.app is app:
        yield from value.nodes
    elif isinstance(value, Several):
        arms = [(when, tuple(_wrapping(option, app))) for when, option in value.options]
        if any(None in nodes for _, nodes in arms):
            yield None
        known = tuple((when, tuple(node for node in nodes if node is not None)) for when, nodes in arms)
        yield Choice(value.key, value.place, known)
    elif value is not app and value != Method(app, Flask.served):
        yield None
