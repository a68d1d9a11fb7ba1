"""Shapes of classes and ways to use them. What is right of them is nobody's opinion: Python is asked.

A shape is the source of a module and the bodies of functions that use it, one line each. A line that ends in
`# unseen` fails in Python and is known not to be found.
"""

from __future__ import annotations

import textwrap
from typing import Final

DATACLASS: Final = "from dataclasses import KW_ONLY, InitVar, dataclass, field, replace\nimport dataclasses\n"
TYPING: Final = "from typing import Any, ClassVar, Final, Generic, Optional, TypeVar\nimport typing\n"

_SHAPES: Final = {
    "plain fields": (
        """
        @dataclass
        class C:
            a: int
            b: int = 2
        """,
        "C()",
        "C(1)",
        "C(1, 2)",
        "C(1, 2, 3)",
        "C(a=1)",
        "C(b=1)",
        "C(1, a=1)",
        "C(1, c=1)",
        "C(*[1])",
        "C(*[1], c=1)",
        "C(**{'a': 1})",
        "C(**{'a': 1}, c=1)",
        "x = C(1); x.a",
        "x = C(1); x.c",
        "x = C(1); x.c += 1",
        "x = C(1); del x.c",
        "x = C(1); x.d = 1; x.d",
        "x = C(1); x.__class__, x.__dict__, x.__dataclass_fields__, x.__match_args__",
    ),
    "private names": (
        """
        @dataclass
        class _C:
            __a: int
            b: int = 2
            __c: ClassVar[int] = 3
            def __hidden(self): return self.__a
            def get(self): return self.__hidden() + self.__c
            def __len__(self): return 1
        class P:
            def __init__(self, __x, y=1, *, __z=2): pass
        @dataclass
        class ___:
            __d: int
        @dataclass
        class D(_C):
            __a: int = 3
        """,
        "_C()",
        "_C(1).get()",
        "_C(_C__a=1)",
        "_C(__a=1)",
        "x = _C(1); x._C__a, x._C__c, x._C__hidden, x.__len__",
        "x = _C(1); x.__a",
        "x = _C(1); x.__hidden",
        "x = _C(1); x.__C__a",
        "x = _C(1); replace(x, _C__a=2)",
        "x = _C(1); replace(x, __a=2)",
        "P(1)",
        "P(_P__x=1)",
        "P(__x=1)",
        "P(1, _P__z=1)",
        "P(1, __z=1)",
        "___(__d=1).__d",
        "D(_C__a=1, _D__a=2)",
        "x = D(1); x._C__a, x._D__a",
        "x = D(1); x.__a",
    ),
    "decorator with dots and options": (
        """
        @dataclasses.dataclass(frozen=True, eq=False, repr=False)
        class C:
            a: int
            b: int = dataclasses.field(default=3)
        """,
        "C()",
        "C(1, 2)",
        "C(1, 2, 3)",
        "x = C(1); x.b",
        "x = C(1); x.bb",
    ),
    "keyword only class": (
        """
        @dataclass(kw_only=True)
        class C:
            a: int
            b: int = 2
            c: int = field(kw_only=False, default=0)
        """,
        "C(1)",
        "C(a=1)",
        "C(1, a=2)",
        "C(1, 2, a=2)",
        "C(b=1)",
    ),
    "keyword only sentinel": (
        """
        @dataclass
        class C:
            a: int
            _: KW_ONLY
            b: int
            c: int = 0
        """,
        "C(1)",
        "C(1, 2)",
        "C(1, b=2)",
        "C(1, b=2, c=3)",
        "C(1, b=2, _=3)",
    ),
    "keyword only field": (
        """
        @dataclass
        class C:
            a: int = field(kw_only=True)
            b: int
            c: list = field(default_factory=list)
        """,
        "C(1)",
        "C(1, a=1)",
        "C(1, [], a=1)",
        "C(1, [], 3, a=1)",
        "C(a=1)",
    ),
    "fields without init": (
        """
        @dataclass
        class C:
            a: int
            b: int = field(init=False)
            c: int = field(init=False, default=4)
            d: int = 5

            def __post_init__(self):
                self.b = self.a
                self.e = 1
        """,
        "C(1, 5)",
        "C(1, 5, 6)",
        "C(1, b=2)",
        "C(1, c=2)",
        "x = C(1); x.b, x.c, x.d, x.e",
        "x = C(1); x.f",
        "x = C(1); replace(x, b=3)",
        "x = C(1); replace(x, a=3, d=4)",
    ),
    "init variables": (
        """
        @dataclass
        class C:
            a: int
            b: InitVar[int]
            c: dataclasses.InitVar[int] = 3

            def __post_init__(self, b, c):
                self.total = b + c
        """,
        "C(1)",
        "C(1, 2)",
        "C(1, 2, 3)",
        "C(1, 2, 3, 4)",
        "C(1, b=2)",
        "x = C(1, 2); x.total",
        "x = C(1, 2); x.c",
        "x = C(1, 2); x.b  # unseen",
    ),
    "class variables": (
        """
        @dataclass
        class C:
            a: int
            b: ClassVar[int] = 3
            c: "ClassVar[int]" = 3
            d: typing.ClassVar = 4
            e = 5
        """,
        "C(1)",
        "C(1, 2)",
        "C(1, b=2)",
        "C(1, e=2)",
        "x = C(1); x.b, x.c, x.d, x.e",
        "x = C(1); x.f",
    ),
    "inherited fields": (
        """
        @dataclass
        class B:
            a: int
            b: int = 2

        @dataclass
        class C(B):
            c: int = 3
            a: int = 0
        """,
        "C()",
        "C(1, 2, 3)",
        "C(1, 2, 3, 4)",
        "C(a=1, c=3)",
        "C(d=1)",
        "x = C(); x.a, x.b, x.c",
        "x = C(); x.d",
        "x = B(1); x.c",
    ),
    "keyword only base": (
        """
        @dataclass(kw_only=True)
        class B:
            a: int
            b: int = 2

        @dataclass
        class C(B):
            c: int
        """,
        "C(3)",
        "C(3, a=1)",
        "C(3, 1)",
        "C(a=1, c=3)",
        "C(a=1)",
    ),
    "default from a base": (
        """
        @dataclass
        class B:
            a: int = 1
            b: list = field(default_factory=list)
            c: int = field(default=3)

        @dataclass
        class C(B):
            c: int
            a: int
        """,
        "C()",
        "C(1)",
        "C(1, [], 2)",
        "C(1, [], 2, 3)",
    ),
    "default factory is not inherited": (
        """
        @dataclass
        class B:
            b: list = field(default_factory=list)

        @dataclass
        class C(B):
            b: list
        """,
        "C()",
        "C([])",
        "B()",
    ),
    "slots are no defaults": (
        """
        @dataclass(slots=True)
        class B:
            a: int

        @dataclass(slots=True)
        class C(B):
            a: int
            b: int = 2
        """,
        "C()",
        "C(1)",
        "C(1, 2)",
        "x = C(1); x.b",
        "x = C(1); x.c",
    ),
    "diamond": (
        """
        @dataclass
        class A:
            a: int = 1

        @dataclass
        class B(A):
            b: int = 2

        @dataclass
        class D(A):
            d: int = 3
            a: int = 4

        @dataclass
        class C(B, D):
            c: int = 5
        """,
        "C(1, 2, 3, 4)",
        "C(1, 2, 3, 4, 5)",
        "x = C(); x.a, x.b, x.c, x.d",
        "x = C(); x.e",
    ),
    "plain class between": (
        """
        @dataclass
        class A:
            a: int

        class B(A):
            b: int = 2

        @dataclass
        class C(B):
            c: int
        """,
        "B(1)",
        "B(1, 2)",
        "C(1, 2)",
        "C(1, 2, 3)",
        "x = B(1); x.b",
        "x = B(1); x.c",
    ),
    "plain subclass with its own constructor": (
        """
        @dataclass
        class A:
            a: int

        class C(A):
            def __init__(self, first, *rest, flag=False):
                super().__init__(first)
                self.rest = rest
        """,
        "C()",
        "C(1, 2, 3)",
        "C(1, 2, flag=True)",
        "C(1, other=True)",
        "C(a=1)",
        "x = C(1); x.a, x.rest",
        "x = C(1); x.flag",
    ),
    "written constructor wins": (
        """
        @dataclass
        class C:
            a: int
            b: int = 0

            def __init__(self, only):
                self.a = only
        """,
        "C(1)",
        "C(1, 2)",
        "C(a=1)",
        "C(only=1)",
    ),
    "no constructor asked for": (
        """
        @dataclass(init=False)
        class C:
            a: int = 1
        """,
        "C()",
        "C(1)",
        "C(a=1)",
    ),
    "no constructor, with a base": (
        """
        @dataclass
        class B:
            a: int

        @dataclass(init=False)
        class C(B):
            b: int = 2
        """,
        "C(1)",
        "C()",
        "C(1, 2)",
    ),
    "property as a default": (
        """
        @dataclass
        class C:
            a: int

            @property
            def a(self):
                return 1

            @a.setter
            def a(self, value):
                pass

            @property
            def b(self):
                return 2
        """,
        "C()",
        "C(3)",
        "x = C(3); x.a, x.b",
        "x = C(3); x.c",
    ),
    "annotated twice": (
        """
        @dataclass
        class C:
            a: int
            b: int = 1
            a: str = "x"
        """,
        "C()",
        "C('y', 2)",
        "C('y', 2, 3)",
    ),
    "nested classes": (
        """
        class Outer:
            @dataclass
            class C:
                a: int
                class Deep:
                    pass
        """,
        "Outer.C()",
        "Outer.C(1)",
        "x = Outer.C(1); x.a, x.Deep",
        "x = Outer.C(1); x.b",
    ),
    "generic": (
        """
        T = TypeVar("T")

        @dataclass
        class B(Generic[T]):
            a: T

        @dataclass
        class C(B[int]):
            b: int = 2
        """,
        "B()",
        "B[int](1)",
        "C(1, 2)",
        "C(1, 2, 3)",
        "x = C(1); x.a",
        "x = C(1); x.c",
    ),
    "abstract": (
        """
        import abc

        class B(abc.ABC):
            @abc.abstractmethod
            def go(self): ...

        @dataclass
        class C(B):
            a: int

            def go(self):
                return self.a
        """,
        "C()",
        "C(1)",
        "x = C(1); x.go()",
        "x = C(1); x.stop()",
    ),
    "metaclass": (
        """
        class Meta(type):
            def __call__(cls, *args, **kwargs):
                return 1

        @dataclass
        class C(metaclass=Meta):
            a: int
        """,
        "C()",
        "C(1, 2, b=3)",
    ),
    "attributes by name": (
        """
        @dataclass
        class C:
            a: int

            def __getattr__(self, name):
                return name

        @dataclass
        class D:
            a: int

            def __post_init__(self):
                for name in ("b", "c"):
                    setattr(self, name, 1)

        @dataclass
        class E:
            a: int

            def __post_init__(self):
                self.__dict__.update(b=1)

        @dataclass
        class F:
            a: int

            def __post_init__(self):
                vars(self)["b"] = 1
        """,
        "x = C(1); x.b",
        "x = D(1); x.b",
        "x = E(1); x.b",
        "x = F(1); x.b",
    ),
    "attributes by way of the dictionary": (
        """
        @dataclass
        class C:
            a: int

        @dataclass
        class D:
            a: int

        @dataclass
        class E:
            a: int

        @dataclass
        class F:
            a: int

        @dataclass
        class G:
            a: int
        """,
        "x = C(1); x.__dict__['b'] = 1; x.b",
        "x = D(1); x.__dict__.update(b=1); x.b",
        "x = E(1); vars(x)['b'] = 1; x.b",
        "x = F(1); x.__dict__ = {'b': 1}; x.b",
        "x = G(1); str(x.__dict__) + str(x.__dict__.items())",
        "x = G(1); x.b",
    ),
    "attributes by object's setattr": (
        """
        @dataclass(frozen=True)
        class C:
            a: int

            def __post_init__(self):
                object.__setattr__(self, "b", 1)
        """,
        "x = C(1); x.b",
        "x = C(1); x.c",
    ),
    "attributes of all methods": (
        """
        @dataclass
        class C:
            a: int

            def fill(self):
                self.b, (self.c, *self.d) = 1, (2, 3)
                for self.e in (1,):
                    pass
                self.f: int = 3
                return self

            @classmethod
            def share(cls):
                cls.g = 1

            def count(self):
                self.h += 1
        """,
        "x = C(1); x.fill(); x.b, x.c, x.d, x.e, x.f",
        "x = C(1); C.share(); x.g",
        "x = C(1); x.count()  # unseen",
        "x = C(1); x.h",
        "x = C(1); x.i",
    ),
    "unknown decorator": (
        """
        def extend(cls):
            cls.b = 2
            cls.__init__ = lambda self, *args: None
            return cls

        @extend
        @dataclass
        class C:
            a: int
        """,
        "C()",
        "C(1, 2)",
        "x = C(1); x.b",
    ),
    "harmless decorators": (
        """
        import functools

        @functools.total_ordering
        @dataclass
        class C:
            a: int

            def __lt__(self, other):
                return self.a < other.a
        """,
        "C()",
        "C(1)",
        "x = C(1); x.b",
    ),
    "constructor of instances": (
        """
        class C:
            def __new__(cls, *args, **kwargs):
                return object.__new__(cls)

        @dataclass
        class D:
            a: int = 0

            def __new__(cls, *args):
                return object.__new__(cls)
        """,
        "C(1, 2, 3)",
        "D(1)",
        "x = D(1); x.b  # unseen",
    ),
    "plain constructor": (
        """
        class C:
            def __init__(self, a, b=1, *, c, d=2):
                self.a = a
        """,
        "C()",
        "C(1)",
        "C(1, c=1)",
        "C(1, 2, c=1)",
        "C(1, 2, 3, c=1)",
        "C(a=1, b=2, c=3, d=4)",
        "C(a=1, b=2, c=3, e=4)",
        "C(1, a=2, c=3)",
        "C(*[1, 2])",
        "C(*[1, 2], c=1)",
        "C(1, **{'c': 1})",
    ),
    "positional only": (
        """
        class C:
            def __init__(self, a, /, b): ...

        class D:
            def __init__(self, a, /, **rest): ...
        """,
        "C(1, 2)",
        "C(a=1, b=2)",
        "C(1, b=2)",
        "C(**{'b': 2})",
        "D(1, a=2)",
        "D(a=2)",
    ),
    "no constructor at all": (
        """
        class B:
            pass

        class C(B):
            limit = 3
        """,
        "B()",
        "B(1)",
        "C()",
        "C(limit=3)",
    ),
    "inherited constructor": (
        """
        class A:
            def __init__(self, a): ...

        class M:
            pass

        class C(M, A):
            pass
        """,
        "C()",
        "C(1)",
        "C(1, 2)",
        "C(b=1)",
    ),
    "exceptions": (
        """
        class B(Exception):
            pass

        class C(B):
            def __init__(self, code, detail=None):
                super().__init__(code)
        """,
        "B(1, 2, 3)",
        "C()",
        "C(1, 2)",
        "C(1, 2, 3)",
        "C('x', status=2)",
    ),
    "builtin bases": (
        """
        class C(dict):
            def __init__(self, only): ...

        class D(str):
            def __init__(self, only): ...

        class E(tuple):
            pass

        class F(int):
            def __init__(self, *args, **kwargs): ...
        """,
        "C(1)",
        "C()",
        "C(1, b=2)",
        "D('a')",
        "E((1, 2))",
        "F('12', base=3)",
    ),
    "constructor that is wrapped": (
        """
        import functools

        def loose(function):
            def inner(self, *args, **kwargs):
                return function(self, 1)
            return inner

        class C:
            @loose
            def __init__(self, a): ...

        class D:
            def _init(self, a): ...
            __init__ = _init

        class E:
            if typing.TYPE_CHECKING:
                def __init__(self, a): ...
        """,
        "C()",
        "D(1)",
        "E()",
    ),
    "overloads": (
        """
        class C:
            @typing.overload
            def __init__(self, a: int): ...
            @typing.overload
            def __init__(self, a: int, b: int): ...
            def __init__(self, a, b=None): ...
        """,
        "C(1)",
        "C(1, 2)",
        "C(1, 2, 3)",
    ),
    "enumerations and named tuples": (
        """
        import enum

        class C(enum.Enum):
            A = 1

        class D(typing.NamedTuple):
            a: int

        class E(typing.TypedDict):
            a: int
        """,
        "C(1)",
        "D(1)",
        "E(b=1)",
        "x = D(1); x.index(1), x._asdict(), x.count(1)",
        "x = C(1); x.name",
    ),
    "replace": (
        """
        @dataclass
        class C:
            a: int
            b: int = 2
        """,
        "x = C(1); replace(x, a=3)",
        "x = C(1); replace(x, c=3)",
        "x = C(1); dataclasses.replace(x, c=3)",
        "x = C(1); replace(x, **{'b': 1})",
    ),
    "registering base": (
        """
        class B:
            def __init_subclass__(cls, **kwargs):
                cls.__init__ = lambda self, *args: None

        @dataclass
        class C(B, tag=1):
            a: int
        """,
        "B()",
        "C(1)",
    ),
    "patched class": (
        """
        @dataclass
        class C:
            a: int

        def _init(self, *args): ...
        C.__init__ = _init
        C.b = 3
        """,
        "C()",
        "x = C(); x.b",
    ),
    "helper that makes fields": (
        """
        def many():
            return field(default_factory=list)

        def none():
            return field(init=False, default=1)

        @dataclass
        class C:
            a: int
            b: list = many()
            c: int = none()
            d: int = 2
        """,
        "C(1)",
        "C(1, [], 3)",
        "x = C(1); x.b, x.c",
        "x = C(1); x.e",
    ),
    "conditional fields": (
        """
        import sys

        @dataclass
        class C:
            a: int
            if sys.version_info >= (3, 8):
                b: int = 2
            else:
                z: int = 3
        """,
        "C(1, 2)",
        "x = C(1); x.b",
    ),
    "names of several kinds": (
        """
        @dataclass
        class C:
            a: int
            import math
            for i in (1, 2):
                pass
            with open(__file__) as handle:
                pass
            try:
                from json import loads
            except ImportError:
                loads = None
            lower = upper = 3
            first, *others = 1, 2
        """,
        "x = C(1); x.math, x.i, x.handle, x.loads, x.lower, x.upper, x.first, x.others",
        "x = C(1); x.middle",
    ),
    "lower-case class": (
        """
        @dataclass
        class point:
            a: int

        def make():
            return point(1, 2)

        def read():
            x = point(1)
            return x.b
        """,
        "make()  # unseen",
        "read()  # unseen",
    ),
}


def _source(text: str) -> str:
    return DATACLASS + TYPING + textwrap.dedent(text)


SHAPES: Final = [(name, _source(source), uses) for name, (source, *uses) in _SHAPES.items()]
