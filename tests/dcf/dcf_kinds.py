"""Shapes as in `dcf_shapes`, of attrs, pydantic, msgspec, named tuples and enumerations."""

from __future__ import annotations

import textwrap
from typing import Final

ATTRS: Final = "import attr\nimport attrs\nfrom attrs import define, field, frozen\nfrom typing import ClassVar\n"
PYDANTIC: Final = (
    "import pydantic\n"
    "from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, computed_field, field_validator, model_validator\n"
    "from typing import Annotated, Any, ClassVar, Generic, Optional, TypeVar\n"
)
PYDANTIC_1: Final = (
    "from pydantic.v1 import BaseModel, Extra, Field, root_validator, validator\nfrom typing import Any, Optional\n"
)
SETTINGS: Final = "from pydantic_settings import BaseSettings, SettingsConfigDict\nfrom pydantic import Field\n"
TUPLES: Final = "import collections\nimport typing\nfrom collections import namedtuple\nfrom typing import NamedTuple\n"
MSGSPEC: Final = "import msgspec\nfrom msgspec import Struct, field\nfrom typing import ClassVar\n"
ENUMS: Final = "import enum\nfrom enum import Enum, IntEnum, Flag, auto\n"

_SHAPES: Final = {
    "attrs define": (
        ATTRS,
        """
        @define
        class C:
            a: int
            b: int = 2
            c: list = field(factory=list)
            d: int = field(default=4, kw_only=True)
            e: ClassVar[int] = 5
        """,
        "C()",
        "C(1)",
        "C(1, 2, [])",
        "C(1, 2, [], 4)",
        "C(1, d=4)",
        "C(1, e=4)",
        "C(a=1, b=2, c=[])",
        "C(1, f=4)",
        "x = C(1); x.a, x.b, x.c, x.d, x.e",
        "x = C(1); x.f",
        "x = C(1); x.__attrs_attrs__",
    ),
    "attrs private names and aliases": (
        ATTRS,
        """
        @define
        class C:
            _a: int
            b: int = field(alias="bee")
            _c: int = 3
            d: int = field(init=False, default=4)
        """,
        "C(1, 2)",
        "C(a=1, bee=2)",
        "C(_a=1, bee=2)",
        "C(a=1, b=2)",
        "C(1, 2, c=3)",
        "C(1, 2, d=3)",
        "x = C(1, 2); x._a, x.b, x._c, x.d",
        "x = C(1, 2); x.a",
        "x = C(1, 2); x.bee",
    ),
    "attrs with decorated defaults, converters and validators": (
        ATTRS,
        """
        @define
        class C:
            a: int = field(converter=int)
            b: int = field(validator=attrs.validators.instance_of(int))
            c: int = field()

            @c.default
            def _c(self):
                return self.a + 1
        """,
        "C('1')",
        "C('1', 2)",
        "C('1', 2, 3)",
        "C('1', 2, 3, 4)",
    ),
    "attr.s without annotations": (
        ATTRS,
        """
        @attr.s
        class C(object):
            a = attr.ib()
            b = attr.ib(default=2)
            c = attr.ib(3)
            d: int = 4
            e = 5

        @attr.s(auto_attribs=True)
        class D:
            a: int
            b: int = attr.ib(default=2)
            e = 5
        """,
        "C()",
        "C(1, 2, 3)",
        "C(1, 2, 3, 4)",
        "C(1, d=4)",
        "x = C(1); x.a, x.b, x.c, x.d, x.e",
        "x = C(1); x.f",
        "D(1, 2)",
        "D(1, 2, 3)",
        "D(1, e=3)",
        "D()",
    ),
    "define finds out whether annotations count": (
        ATTRS,
        """
        @define
        class C:
            a: int = 1
            b = field(default=2)
        """,
        "C(2)",
        "C(1, 2)",
        "C(a=1)",
        "C(b=1)",
    ),
    "attrs constructors of one's own": (
        ATTRS,
        """
        @define
        class C:
            a: int
            def __init__(self, only):
                self.__attrs_init__(only)

        @attr.s
        class D:
            a = attr.ib()
            def __init__(self):
                pass

        @define(init=False)
        class E:
            a: int = 1
        """,
        "C(only=1)",
        "C(a=1)",
        "D()",
        "D(1)",
        "E()",
        "E(1)",
    ),
    "attrs inheritance": (
        ATTRS,
        """
        @define
        class B:
            a: int = 1
            b: int = 2

        @define
        class C(B):
            c: int = 3
            a: int = 4

        @define(kw_only=True)
        class K:
            k: int

        @define
        class L(K):
            m: int

        class P(B):
            pass
        """,
        "C(1, 2, 3)",
        "C(1, 2, 3, 4)",
        "C(b=2, a=3)",
        "C(d=2)",
        "x = C(); x.a, x.b, x.c",
        "x = C(); x.d",
        "K(1)",
        "K(k=1)",
        "L(1, k=2)",
        "L(1, 2)",
        "P(1, 2)",
        "P(1, 2, 3)",
        "x = P(); x.z = 1; x.z",
    ),
    "attrs given fields from elsewhere": (
        ATTRS,
        """
        @attr.s(these={"a": attr.ib()})
        class C:
            pass

        def rename(cls, fields):
            return [f.evolve(name="z") for f in fields]

        @define(field_transformer=rename)
        class D:
            a: int

        def maker():
            return attr.ib(default=3)

        @attr.s
        class E:
            a = maker()
        """,
        "C(1)",
        "x = C(1); x.a",
        "D(z=1)",
        "E()",
        "E(1)",
    ),
    "copies": (
        ATTRS + PYDANTIC + MSGSPEC + "import dataclasses\nfrom typing import NamedTuple\n",
        """
        @attrs.define
        class A:
            a: int = 1
            _b: int = 2

        class N(NamedTuple):
            a: int = 1

        class S(Struct):
            a: int = 1

        @dataclasses.dataclass
        class D:
            a: int = 1

        class H:
            def __init__(self):
                self.held = D()
                self.pair = N()

            def one(self):
                return dataclasses.replace(self.held, b=1)

            def two(self):
                return self.pair._replace(b=1)

            def three(self):
                return self.pair._replace(a=1)
        """,
        "x = A(); attrs.evolve(x, a=2, b=3)",
        "x = A(); attrs.evolve(x, _b=3)",
        "x = A(); attr.evolve(x, c=3)",
        "x = N(); x._replace(a=2)",
        "x = N(); x._replace(b=2)",
        "x = N(); x._replace(**{'a': 2})",
        "x = S(); msgspec.structs.replace(x, a=2)",
        "x = S(); msgspec.structs.replace(x, b=2)",
        "x = D(); replace(x, b=2)",
        "x = H(); x.one()  # unseen",
        "x = H(); x.two()  # unseen",
        "x = H(); x.three()",
    ),
    "attrs slots and frozen": (
        ATTRS,
        """
        @define
        class C:
            a: int = 1

        @define(slots=False)
        class D:
            a: int = 1

        @frozen
        class F:
            a: int = 1

        @attr.s(frozen=True)
        class G:
            a = attr.ib(default=1)
        """,
        "x = C(); x.a = 2",
        "x = C(); x.b = 2",
        "x = D(); x.b = 2; x.b",
        "x = F(); x.a = 2",
        "x = F(); x.a += 2",
        "x = F(); del x.a",
        "x = G(); x.a = 2",
        "x = G(); x.b = 2",
    ),
    "pydantic model": (
        PYDANTIC,
        """
        class C(BaseModel):
            a: int
            b: int = 2
            c: list[int] = []
            d: Optional[int] = None
            e: int = Field(default=3, gt=0)
            f: ClassVar[int] = 3
            g: int = Field(default_factory=int)
        """,
        "C()",
        "C(1)",
        "C(a=1)",
        "C(a=1, b=2, c=[], d=3, e=4, g=5)",
        "C(a=1, unknown=3)",
        "C(**{'a': 1})",
        "C(b=1)",
        "C(b=1, **{'a': 1})",
        "x = C(a=1); x.a, x.b, x.c, x.d, x.e, x.f, x.g",
        "x = C(a=1); x.h",
        "x = C(a=1); x.model_dump(), x.model_copy(), x.model_fields_set, x.dict()",
        "x = C(a=1); x.model_dmp()",
        "x = C(a=1); x.i = 3",
        "x = C(a=1); x.a = 3",
    ),
    "pydantic required fields": (
        PYDANTIC,
        """
        class C(BaseModel):
            a: Optional[int]
            b: Any
            c: int = ...
            d: int = Field(...)
            e: int = Field(gt=0)
            f: Annotated[int, Field(gt=0)]
            g: Annotated[int, Field(default=3)]
            h: int | None = Field(None)
        """,
        "C(a=1, b=2, c=3, d=4, e=5, f=6)",
        "C(b=2, c=3, d=4, e=5, f=6)",
        "C(a=1, c=3, d=4, e=5, f=6)",
        "C(a=1, b=2, d=4, e=5, f=6)",
        "C(a=1, b=2, c=3, e=5, f=6)",
        "C(a=1, b=2, c=3, d=4, f=6)",
        "C(a=1, b=2, c=3, d=4, e=5)",
    ),
    "pydantic aliases": (
        PYDANTIC,
        """
        class C(BaseModel):
            a: int = Field(alias="aa")
            b: int = Field(validation_alias="bb", default=2)

        class D(BaseModel):
            model_config = ConfigDict(populate_by_name=True, extra="forbid")
            a: int = Field(alias="aa")

        class E(BaseModel):
            model_config = ConfigDict(alias_generator=str.upper)
            a: int

        class F(BaseModel, extra="forbid"):
            a: int = Field(alias="aa")

        class G(BaseModel):
            a: int = Field(validation_alias=pydantic.AliasChoices("x", "y"))
        """,
        "C(aa=1)",
        "C(a=1)",
        "D(a=1)",
        "D(aa=1)",
        "D(b=1)",
        "D(aa=1, b=1)",
        "E(A=1)",
        "F(aa=1)",
        "F(a=1)",
        "F(aa=1, b=2)",
        "G(x=1)",
        "x = C(aa=1); x.a",
        "x = C(aa=1); x.aa",
    ),
    "pydantic extra": (
        PYDANTIC,
        """
        class A(BaseModel):
            model_config = ConfigDict(extra="allow")
            a: int = 1

        class B(BaseModel):
            model_config = {"extra": "forbid"}
            a: int = 1

        class C(B):
            b: int = 2

        class D(B):
            model_config = ConfigDict(extra="ignore")

        class E(BaseModel, extra="allow"):
            pass

        class F(A):
            b: int = 2
        """,
        "A(z=1)",
        "x = A(z=1); x.z",
        "x = A(); x.z = 1",
        "B(z=1)",
        "B(a=1)",
        "C(z=1)",
        "C(a=1, b=2)",
        "D(z=1)",
        "x = D(); x.zz",
        "x = E(z=1); x.z",
        "x = F(z=1); x.z",
    ),
    "pydantic validators": (
        PYDANTIC,
        """
        class A(BaseModel):
            a: int

            @model_validator(mode="before")
            @classmethod
            def _fill(cls, data):
                return {"a": 1, **data}

        class B(BaseModel):
            a: int

            @model_validator(mode="after")
            def _check(self):
                return self

            @field_validator("a")
            @classmethod
            def _one(cls, value):
                return value

            @computed_field
            @property
            def double(self) -> int:
                return self.a * 2

        class C(BaseModel):
            a: int

            def __init__(self, value, **data):
                super().__init__(a=value, **data)
        """,
        "A()",
        "B()",
        "x = B(a=1); x.double",
        "x = B(a=1); x.triple",
        "C(1)",
        "C()",
        "C(a=1)",
        "C(value=1)",
    ),
    "pydantic private attributes": (
        PYDANTIC,
        """
        class C(BaseModel):
            a: int = 1
            _b: int = PrivateAttr(default=2)
            _c: int = 3
            _d = PrivateAttr(4)

            def model_post_init(self, context):
                self._b = 5
        """,
        "C()",
        "C(_b=1)",
        "x = C(); x._b, x._c, x._d",
        "x = C(); x._e",
    ),
    "pydantic inheritance": (
        PYDANTIC,
        """
        T = TypeVar("T")

        class B(BaseModel):
            a: int

        class C(B):
            b: int
            a: int = 3

        class G(BaseModel, Generic[T]):
            data: T
            count: int = 0

        class Mixin:
            x: int

            def help(self):
                return 1

        class M(Mixin, BaseModel):
            y: int = 1
        """,
        "C()",
        "C(b=1)",
        "x = C(b=1); x.a, x.b",
        "x = C(b=1); x.c",
        "G(data=1)",
        "G[int](data=1)",
        "G()  # unseen",
        "x = G(data=1); x.data, x.count",
        "x = G(data=1); x.dta",
        "M(x=1)",
        "x = M(x=1); x.help(), x.y",
        "x = M(x=1); x.z",
    ),
    "pydantic frozen": (
        PYDANTIC,
        """
        class A(BaseModel):
            model_config = ConfigDict(frozen=True)
            a: int = 1

        class B(BaseModel, frozen=True):
            a: int = 1

        class C(BaseModel):
            a: int = 1
        """,
        "x = A(); x.a = 2",
        "x = B(); x.a = 2",
        "x = C(); x.a = 2",
        "x = C(); x.b = 2",
    ),
    "constructors that models inherit": (
        PYDANTIC,
        """
        class Base(BaseModel):
            key: str
            other: int

            def __init__(self, **data):
                data["key"] = "k"
                super().__init__(**data)

        class A(Base):
            label: str

        class Named(BaseModel):
            name: str

            def __init__(self, name, size=3):
                super().__init__(name=name)

        class B(Named):
            more: int = 3

        class C(B):
            pass

        class Mixin:
            def __init__(self, first):
                pass

        class D(BaseModel, Mixin):
            a: int
        """,
        "A(other=1, label='l')",
        "B('n')",
        "B('n', 4)",
        "B()",
        "B(more=3)",
        "C(name='n', size=3)",
        "C(name='n', more=3)",
        "D(a=1)",
        "D(first=1)  # unseen",
    ),
    "what may be None in the first pydantic": (
        PYDANTIC_1,
        """
        import typing

        class A(BaseModel):
            a: typing.Dict[str, Any]

        class B(BaseModel):
            b: typing.List[Optional[int]]

        class C(BaseModel):
            c: typing.Union[int, None]
            d: "Optional[int]"
            e: int | None
            f: typing.Annotated[Optional[int], 3]
            g: typing.Any

        class D(BaseModel):
            d: typing.Union[int, typing.List[None]]

        class E(BaseModel):
            e: typing.Literal["a", None]

        class F(BaseModel):
            f: typing.Literal["a", "None"]

        class G(BaseModel):
            g: typing.Callable[..., Any]
        """,
        "A()",
        "B()",
        "C()",
        "D()",
        "E()",
        "F()",
        "G()",
        "A(a={}), B(b=[]), C(), D(d=[]), E(e='a'), F(f='a'), G(g=print)",
    ),
    "pydantic of the first version": (
        PYDANTIC_1,
        """
        class A(BaseModel):
            a: int
            b: Optional[int]
            c: Any
            d = 3

        class B(BaseModel):
            a: int = Field(..., alias="aa")

            class Config:
                extra = Extra.forbid
                allow_population_by_field_name = True

        class C(BaseModel):
            a: int

            @root_validator(pre=True)
            def _fill(cls, values):
                return {"a": 1, **values}

            class Config:
                extra = "allow"

        class D(BaseModel):
            a: int = 1

            class Config:
                allow_mutation = False
        """,
        "A(a=1)",
        "A()",
        "x = A(a=1); x.a, x.b, x.c, x.d, x.dict()",
        "x = A(a=1); x.e",
        "B(a=1)",
        "B(aa=1)",
        "B(aa=1, z=1)",
        "C()",
        "x = C(z=1); x.z",
        "x = D(); x.a = 2",
    ),
    "pydantic settings": (
        SETTINGS,
        """
        class A(BaseSettings):
            a: int = 1
            b: str = "x"

        class B(BaseSettings):
            model_config = SettingsConfigDict(env_prefix="B_")
            required: str = "y"

        class C(BaseSettings):
            model_config = SettingsConfigDict(extra="allow")
        """,
        "A()",
        "A(a=2)",
        "A(1)",
        "A(_env_file=None)",
        "x = A(); x.a, x.b, x.model_dump()",
        "x = A(); x.c",
        "x = B(); x.required",
        "x = B(); x.requird",
        "x = C(z=1); x.z",
    ),
    "pydantic dataclasses": (
        "from pydantic.dataclasses import dataclass\nfrom pydantic import Field\n",
        """
        @dataclass
        class C:
            a: int
            b: int = 2
            c: int = Field(default=3)
            d: list = Field(default_factory=list)

        @dataclass
        class D:
            a: int = Field()
            b: int = Field(...)
        """,
        "C()",
        "C(1)",
        "C(1, 2, 3, [])",
        "C(1, 2, 3, [], 5)",
        "C(1, z=2)",
        "D(1)",
        "D(1, 2)",
        "x = C(1); x.a, x.b, x.c, x.d",
        "x = C(1); x.e",
    ),
    "pydantic dataclasses that take more": (
        "from pydantic.dataclasses import dataclass\nfrom pydantic import ConfigDict\n",
        """
        @dataclass(config=ConfigDict(extra="allow"))
        class C:
            a: int

        @dataclass
        class D:
            __pydantic_config__ = ConfigDict(extra="allow")
            a: int

        @dataclass
        class E(C):
            b: int = 2
        """,
        "x = C(a=1, z=2); x.a, x.z",
        "x = D(a=1, z=2); x.a, x.z",
        "x = E(a=1, z=2)",
    ),
    "named tuple": (
        TUPLES,
        """
        class C(NamedTuple):
            a: int
            b: int = 2

            def both(self):
                return self.a + self.b

        class D(C):
            c: int = 3

            def more(self):
                return self.a
        """,
        "C()",
        "C(1)",
        "C(1, 2)",
        "C(1, 2, 3)",
        "C(1, c=2)",
        "C(a=1, b=2)",
        "x = C(1); x.a, x.b, x.both(), x._asdict(), x._fields, x.count(1), x.index(1)",
        "x = C(1); x.c",
        "x = C(1); x.a = 2",
        "x = C(1); x.z = 2",
        "x = D(1); x.a, x.b, x.c, x.more()",
        "x = D(1); x.d",
        "x = D(1); x.z = 1; x.z",
        "x = D(1); x.a = 1",
        "D(1, 2, 3)",
    ),
    "collections.namedtuple": (
        TUPLES,
        """
        P = namedtuple("P", "a b c", defaults=(3,))
        Q = collections.namedtuple("Q", ["a", "b"])
        R = NamedTuple("R", [("a", int), ("b", str)])
        S = namedtuple("S", Q._fields + ("c",))
        U = namedtuple("U", "a, b")
        U.__new__.__defaults__ = (None, None)

        class C(namedtuple("C", "a b")):
            __slots__ = ()

            def both(self):
                return self.a, self.b

        class D(namedtuple("D", ("a", "b"))):
            def __new__(cls, a, b=2):
                return super().__new__(cls, a, b)
        """,
        "P(1)",
        "P(1, 2)",
        "P(1, 2, 3)",
        "P(1, 2, 3, 4)",
        "P(1, b=2, d=3)",
        "x = P(1, 2); x.a, x.b, x.c, x._replace(a=2)",
        "x = P(1, 2); x.d",
        "Q(1)",
        "Q(1, 2)",
        "R(1)",
        "R(1, 'x')",
        "x = R(1, 'x'); x.b",
        "x = R(1, 'x'); x.c",
        "S(1, 2, 3)",
        "x = S(1, 2, 3); x.c",
        "U()",
        "C(1, 2)",
        "x = C(1, 2); x.a, x.both()",
        "D(1)",
        "x = D(1); x.b",
    ),
    "msgspec": (
        MSGSPEC,
        """
        class B(Struct):
            a: int
            b: int = 2
            c: list = []
            d: dict = field(default_factory=dict)
            e: ClassVar[int] = 5

        class C(Struct, kw_only=True):
            a: int
            b: int = 2

        class D(B):
            f: int = 6

        class E(Struct, dict=True):
            a: int = 1

        class F(Struct, frozen=True):
            a: int = 1

        class G(C):
            z: int
        """,
        "B()",
        "B(1)",
        "B(1, 2, [], {})",
        "B(1, 2, [], {}, 5)",
        "B(1, e=5)",
        "x = B(1); x.a, x.b, x.c, x.d, x.e, x.__struct_fields__",
        "x = B(1); x.f",
        "x = B(1); x.h = 1",
        "C(1)",
        "C(a=1)",
        "D(1, 2, [], {}, 6)",
        "D(1, 2, [], {}, 6, 7)",
        "x = D(1); x.f, x.a",
        "x = D(1); x.g",
        "x = E(); x.z = 1; x.z",
        "x = F(); x.a = 2",
        "G(1, a=2)",
        "G(1, 2)",
        "G(1)",
    ),
    "msgspec with fields that come again": (
        MSGSPEC,
        """
        class A(Struct):
            a: int
            b: int
            c: int = 3

        class K(Struct, kw_only=True):
            a: int
            b: int = 2

        class First(A):
            d: int = 4
            a: str

        class Middle(A):
            b: int = 2

        class Last(A):
            c: str

        class ByName(A, kw_only=True):
            a: str

        class ByPlace(K):
            a: int

        class Mixed(K):
            c: int
            b: int
        """,
        "First(1, 2, 3, 4)",
        "First(1, 2)",
        "First(1)",
        "First(1, d=2)",
        "Middle(1)",
        "Middle(1, 2, 3)",
        "Middle()",
        "Last(1, 2)",
        "Last(1, 2, 3)",
        "ByName(1, a=2)",
        "ByName(1, 2, a=2)",
        "ByName(1, 2, 3)",
        "ByPlace(1)",
        "ByPlace(1, 2)",
        "ByPlace(1, b=2)",
        "Mixed(1, 2, a=3)",
        "Mixed(1, 2, 3)",
        "Mixed(1, a=3)",
    ),
    "enumerations that a call makes": (
        ENUMS,
        """
        class Word(str, Enum):
            def nice(self):
                return self.value.lower()

        class Named(Enum):
            @classmethod
            def _missing_(cls, value):
                return None

        class Color(Named):
            RED = 1

        class Level(Enum):
            LOW = auto()
        """,
        "animals = Word('Animal', 'CAT DOG'); animals.CAT, animals('1').nice()",
        "animals = Named('Animal', [('CAT', 1)]); animals.CAT, animals.CAT.name",
        "x = Color(1); x.name",
        "x = Color(1); x.hue",
        "x = Level(1); x.hue",
    ),
    "enumerations": (
        ENUMS,
        """
        class Color(Enum):
            RED = 1
            GREEN = 2

            def nice(self):
                return self.name.lower()

            @property
            def short(self):
                return self.name[0]

        class Level(IntEnum):
            LOW = auto()
            HIGH = auto()

        class Word(str, Enum):
            YES = "yes"

        class Perm(Flag):
            R = 1
            W = 2
        """,
        "Color.RED, Color.GREEN, Color.__members__",
        "Color.BLUE",
        "Color.RED.value, Color.RED.name, Color.RED.nice(), Color.RED.short",
        "Color.RED.vlaue",
        "Color['RED'], Color(1)",
        "Level.LOW.value, Level.LOW.bit_length(), Level.LOW.real",
        "Level.MIDDLE",
        "Word.YES.upper(), Word.YES.value",
        "Word.NO",
        "Word.YES.uppr()",
        "Perm.R | Perm.W",
        "Perm.X",
        "x = Color(1); x.value, x.name, x.nice()",
        "x = Color(1); x.nicer()",
        "Color.RED = 3",
    ),
    "enumerations that know more": (
        ENUMS,
        """
        class Planet(Enum):
            EARTH = (1, 2)

            def __init__(self, mass, radius):
                self.mass = mass
                self.radius = radius

        class Loose(Enum):
            A = 1

            @classmethod
            def _missing_(cls, value):
                return cls.A

            @classmethod
            def best(cls):
                return cls.A

        class Meta(enum.EnumMeta):
            def __getattr__(cls, name):
                return name

        class Open(Enum, metaclass=Meta):
            A = 1

        class Base(Enum):
            def help(self):
                return self.name

        class Sub(Base):
            A = 1

        class Filled(Enum):
            for_one = 1
            locals()["B"] = 2
        """,
        "Planet.EARTH.mass, Planet.EARTH.radius",
        "Planet.EARTH.masss",
        "Planet.MARS",
        "Loose.best(), Loose('x')",
        "Open.Z",
        "Sub.A.help()",
        "Sub.B",
        "Filled.B",
    ),
}


def _source(header: str, text: str) -> str:
    return header + textwrap.dedent(text)


KINDS: Final = [(name, _source(header, source), uses) for name, (header, source, *uses) in _SHAPES.items()]
