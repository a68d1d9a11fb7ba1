"""Binding of arguments against Python's own."""

from __future__ import annotations

import importlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guard.checks.classes_bases import PLAIN_BASES
from guard.checks.classes_binding import Misfit, Parameters
from guard.checks.classes_facts import Parameter, ParameterKind, Signature

NAMES = ("a", "b", "c", "d", "e")


@st.composite
def signatures(draw: st.DrawFn) -> Signature:
    """Any signature that Python allows, over the names a to e."""
    names = draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=5))
    kinds = sorted(
        draw(
            st.lists(
                st.sampled_from([ParameterKind.POSITIONAL_ONLY, ParameterKind.POSITIONAL, ParameterKind.KEYWORD_ONLY]),
                min_size=len(names),
                max_size=len(names),
            )
        )
    )
    parameters = []
    optional = False
    for name, kind in zip(names, kinds, strict=True):
        required = draw(st.booleans())
        if kind is not ParameterKind.KEYWORD_ONLY:
            optional = optional or not required
            required = not optional
        parameters.append(Parameter(name, kind, required))
    if draw(st.booleans()):
        place = sum(kind is not ParameterKind.KEYWORD_ONLY for kind in kinds)
        parameters.insert(place, Parameter("args", ParameterKind.VAR_POSITIONAL, False))
    if draw(st.booleans()):
        parameters.append(Parameter("kwargs", ParameterKind.VAR_KEYWORD, False))
    return tuple(parameters)


def written(signature: Signature) -> str:
    """The signature as source."""
    parts = []
    kinds = [parameter.kind for parameter in signature]
    for number, parameter in enumerate(signature):
        stars = {ParameterKind.VAR_POSITIONAL: "*", ParameterKind.VAR_KEYWORD: "**"}.get(parameter.kind, "")
        has_default = not parameter.required and not stars
        if parameter.kind is ParameterKind.KEYWORD_ONLY and "*" not in "".join(parts):
            parts.append("*")
        parts.append(f"{stars}{parameter.name}{'=0' if has_default else ''}")
        if parameter.kind is ParameterKind.POSITIONAL_ONLY and ParameterKind.POSITIONAL_ONLY not in kinds[number + 1 :]:
            parts.append("/")
    return ", ".join(parts)


@settings(max_examples=600, deadline=None, database=None)
@given(
    signatures(),
    st.integers(0, 6),
    st.lists(st.sampled_from((*NAMES, "other")), unique=True, max_size=4),
)
def test_binding_is_pythons(signature: Signature, positional: int, keywords: list[str]) -> None:
    namespace: dict[str, object] = {}
    exec(f"def function({written(signature)}): pass", namespace)
    function = namespace["function"]
    assert callable(function)
    try:
        function(*range(positional), **dict.fromkeys(keywords))
        fails = False
    except TypeError:
        fails = True
    assert bool(Parameters(signature).bind(positional, keywords)) == fails


@settings(max_examples=400, deadline=None, database=None)
@given(
    signatures(),
    st.integers(0, 3),
    st.lists(st.sampled_from((*NAMES, "other")), unique=True, max_size=3),
    st.booleans(),
    st.booleans(),
)
def test_what_stars_may_hold_is_left_open(
    signature: Signature, positional: int, keywords: list[str], starred: bool, double_starred: bool
) -> None:
    """A call with stars is wrong only when nothing that they could hold makes it right."""
    misfit = Parameters(signature).bind(positional, keywords, starred=starred, double_starred=double_starred)
    if not misfit:
        return
    more = [name for name in (*NAMES, "other", "another") if name not in keywords]
    for count in range(6 if starred else 1):
        for chosen in _subsets(more if double_starred else []):
            assert Parameters(signature).bind(positional + count, [*keywords, *chosen])


def _subsets(names: list[str]) -> list[list[str]]:
    return [[name for bit, name in enumerate(names) if mask >> bit & 1] for mask in range(1 << len(names))]


def test_every_fault_is_named() -> None:
    signature = (
        Parameter("a", ParameterKind.POSITIONAL_ONLY),
        Parameter("b", ParameterKind.POSITIONAL),
        Parameter("c", ParameterKind.KEYWORD_ONLY),
        Parameter("d", ParameterKind.KEYWORD_ONLY, False),
    )
    assert Parameters(signature).bind(1, ["a", "b", "e"]) == Misfit(("e",), ("a",), (), 0, ("c",))
    assert Parameters(signature).bind(4, ["b", "c"]) == Misfit((), (), ("b",), 2, ())
    assert Parameters(signature).bind(2, ["c"]) == Misfit()
    assert not Misfit()


@pytest.mark.parametrize("base", sorted(PLAIN_BASES, key=str), ids=lambda base: f"{base.module}.{base.name}")
def test_a_constructor_in_front_of_a_plain_base_decides_alone(base: object) -> None:
    module = importlib.import_module(base.module)  # type: ignore[attr-defined]
    plain = getattr(module, base.name)  # type: ignore[attr-defined]
    taken = []

    def record(self: object, *args: object, **kwargs: object) -> None:
        taken.append((args, kwargs))

    made = type(plain)("Made", (plain,), {"__init__": record})
    assert isinstance(made(1, "two", 3, four=4, five=5), made)
    assert taken == [((1, "two", 3), {"four": 4, "five": 5})]
