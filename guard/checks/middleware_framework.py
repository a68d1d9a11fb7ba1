"""What a web framework is to the middleware family: how code makes its applications and adds layers to them.

To add one: a module with a class that extends `Framework`, named in `middleware_frameworks.FRAMEWORKS`; shapes in
`tests/middleware` hold it to what the framework really does.
"""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from guard.checks.middleware_stack import Node, Place
from guard.checks.middleware_values import NOTHING, Application, Recorder, Value
from guard.checks.modules import External

if TYPE_CHECKING:
    from guard.checks.middleware_calls import Calls

Arguments = tuple[Sequence[Value], Mapping[str, Value]]
"""What a call is given: by position, and by name. The name `**` stands for more that are not known."""


class Framework(abc.ABC):
    """One framework. Files are read by the names that it lists; what they do is executed by its methods."""

    name: str
    """As reports call it."""
    packages: tuple[str, ...]
    """The packages that are the framework's own: all of what comes from them is known."""

    # What the collector of a file looks for

    signs: tuple[bytes, ...] = ()
    """A file that holds none of these has no application of it and no set-up code. Each is looked for in every file of
    a tree, so there should be few."""
    faint_signs: tuple[tuple[bytes, bytes], ...] = ()
    """The same, by a pattern: a plain substring is several times as fast to look for, so the pattern (the second) is
    asked only where a part of what it finds (the first) is there."""
    classes: frozenset[str] = frozenset()
    """What its applications are made by, by last name."""
    extensions: frozenset[str] = frozenset()
    """Classes of packages around it whose objects are handed applications, by last name."""
    attaching: frozenset[str] = frozenset()
    """The methods of such objects, and of those of the tree that are like them, that are handed an application."""
    methods: frozenset[str] = frozenset()
    """The methods of an application that add a layer or another application, which they are handed."""
    mounts: frozenset[str] = frozenset()
    """Those of them that add another application, as one of their first two arguments."""
    decorators: frozenset[str] = frozenset()
    """Those of them that are decorators as they are, without a call: `@app.before_request`."""
    attributes: frozenset[str] = frozenset()
    """The attributes of an application that hold its layers."""
    served: str = ""
    """The one of them that is called for every request, which code wraps and sets again."""
    inert: frozenset[str] = frozenset()
    """The methods of an application that leave its layers as they are."""

    # What the code does

    @abc.abstractmethod
    def is_application(self, thing: External) -> bool:
        """Whether it is the class of an application, or of a part of one that has layers of its own."""

    @abc.abstractmethod
    def made_by(self, name: str) -> External:
        """The class of an application by its last name, one of `classes`."""

    def is_part(self, kind: External) -> bool:
        """Whether it is the class of a part of an application, which serves nothing unless it is mounted in one."""
        return False

    def construct(self, calls: Calls, app: Application, given: Arguments, place: Place) -> None:
        """What the arguments say that an application is made with: nothing, unless a framework says otherwise."""
        return

    def external(self, calls: Calls, thing: External, given: Arguments, place: Place) -> Value | None:
        """What a call of something that is not of the tree does and gives; None where the framework does not know
        it."""
        return None

    def method(self, calls: Calls, app: Application, name: str, given: Arguments, place: Place) -> Value:
        """What a call of a method of an application does and gives."""
        return NOTHING

    def attribute(self, app: Application, name: str) -> Value | None:
        """An attribute of an application; None for one that is nothing but a method."""
        return None

    def assign(self, calls: Calls, app: Application, name: str, value: Value) -> None:
        """`app.name = value`, which says nothing unless a framework says otherwise."""
        return

    @abc.abstractmethod
    def stack(self, recorder: Recorder, app: Application) -> tuple[tuple[Node, ...], tuple[Node, ...]]:
        """The layers of an application, innermost first: its own, and what is wrapped around it."""

    # What reports say

    outer: tuple[str, ...] = ()
    """The dotted names of the layers that the framework puts around the user's by itself, outermost first."""
    inner: tuple[str, ...] = ()
    """And of those that it puts inside of them."""
    parts_of_request: bool = False
    """Its requests have the parts that `middleware_carriers` knows: a session, a user, a state."""
    kinds: tuple[str, ...] = ()
    """The ways of adding layers (`Layer.means`) that decide by themselves which of them stand outside of which: the
    order of code holds only among those that are added in one way. Empty where all of them mix."""

    first_is_outermost: bool = False
    """Whether what code adds first stands outside of what it adds later."""

    def spoken(self, kind: External) -> str:
        """What an application of a kind is called."""
        return self.name

    @property
    def handed(self) -> str:
        """What an application is called of which only that is known that some function is handed it."""
        return self.name

    def is_own(self, thing: External) -> bool:
        """Whether something comes from the framework, so that all of what it does is known."""
        return thing.module.partition(".")[0] in self.packages
