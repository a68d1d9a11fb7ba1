"""Fields that are not there, and constructors that are called with arguments they do not take."""

from __future__ import annotations

from collections.abc import Iterator

from guard.checks.classes import Classes
from guard.checks.classes_facts import Access, ParameterKind
from guard.checks.classes_faults import BadCall, MissingAttribute, MissingKey
from guard.dependencies.classes import classes_of
from guard.model import Fix, Severity, Violation
from guard.program import Program
from guard.registry import Depends, rule
from guard.rules.dcf_words import alike, all_attributes, did_you_mean, is_slip, listed, quoted, span_of, where

# Attributes


def _fix(linked: Classes, missing: MissingAttribute) -> tuple[Fix | None, dict[str, object]]:
    """How the field could be added, and what the fixer has to know."""
    added = linked.extensible(missing.cls) if missing.access in (Access.LOAD, Access.AUGMENT) else None
    if added is None or "__" in missing.name:
        return None, {}  # a private name is not written as it is read
    kind, places = added
    hints = sorted(linked.hints[missing.cls, missing.name])
    return (
        Fix("unsafe", f"add {missing.name} to {missing.cls.name}", missing.cls.path),
        {"kind": kind, "places": places, "hints": hints},
    )


def _unknown_field(linked: Classes, missing: MissingAttribute) -> Violation:
    likely = alike(missing.name, all_attributes(linked.table, missing.cls))
    fix, added = (None, {}) if is_slip(missing.name, likely) else _fix(linked, missing)
    place = missing.place
    running = f"{place.symbol or place.path} raises" if place.lazy else f"importing {place.path} raises"
    done = {Access.DELETE: "Deleting it", Access.STORE: "Setting it"}.get(missing.access, "Reading it")
    return Violation(
        path=place.path,
        span=span_of(place),
        message=f"{missing.cls.name} has no field {missing.name}" + did_you_mean(likely),
        anchor=f"{missing.cls.name}.{missing.name} {missing.access.name.lower()} {missing.chain}",
        symbol=place.symbol,
        cause=f"{done} is an AttributeError: {running} it{' whenever this line is reached' if place.lazy else ''}.",
        help=(
            f"Use {likely}, or add {missing.name} to {missing.cls.name}."
            if likely
            else f"Add {missing.name} to {missing.cls.name}, or take what is needed from a field that it has."
        ),
        related=where(missing.cls, f"{missing.cls.name} is defined here, without {missing.name}"),
        lazy=place.lazy,
        data={
            "class": missing.cls.qualname,
            "class_path": missing.cls.path,
            "field": missing.name,
            "suggestion": likely,
            **({"add": added} if added else {}),
        },
        fix=fix,
    )


def _unknown_key(missing: MissingKey, likely: str) -> Violation:
    place = missing.place
    return Violation(
        path=place.path,
        span=span_of(place),
        message=f"{missing.cls.name} has no key {missing.name}" + did_you_mean(likely),
        anchor=f"{missing.cls.name}[{missing.name}]",
        symbol=place.symbol,
        cause=f"Reading it is a KeyError{' whenever this line is reached' if place.lazy else ''}.",
        help=f"Use {likely}, or add {missing.name} to {missing.cls.name}."
        if likely
        else f"Add {missing.name} to {missing.cls.name}, or read a key that it has.",
        related=where(missing.cls, f"{missing.cls.name} is defined here, without {missing.name}"),
        lazy=place.lazy,
        data={
            "class": missing.cls.qualname,
            "class_path": missing.cls.path,
            "field": missing.name,
            "suggestion": likely,
        },
    )


@rule("DCF001", "unknown-field", Severity.ERROR, fixable="unsafe", depends=Depends.NAMES)
def unknown_field(program: Program) -> Iterator[Violation]:
    """An attribute of a data class that the class does not have.

    ## What it does
    Knows data classes of the standard library and of pydantic, pydantic models and settings, attrs classes, named
    tuples, typed dictionaries, msgspec structs, and the members of enumerations. Follows names and attributes whose
    class is certain (made by calling the class, annotated parameters, variables and fields, attributes that methods
    assign on `self`, results of annotated functions, elements of annotated containers, and what `isinstance` says in
    its own branch) to the class, through imports and re-exports, and compares what is read, deleted or added to with
    everything that the class and its bases have: fields, methods, properties, attributes assigned by methods or from
    outside. Where instances take no attribute that is not declared, setting one is reported too. A class that is open
    in any way is not judged.

    ## What breaks in production
    AttributeError when the line runs. It is found late, because the line is often one that reports on something
    else: a health check, a metric, a `__repr__`, the handler of an error.

    ## Bad
    `app/metrics.py`:

    ```python
    from dataclasses import dataclass


    @dataclass
    class QueueMetrics:
        accepted: int = 0
        cleanup_count: int = 0
    ```

    `app/queue.py`:

    ```python
    from app.metrics import QueueMetrics


    class Queue:
        def __init__(self) -> None:
            self._metrics = QueueMetrics()

        def health(self) -> dict[str, int]:
            return {
                "accepted": self._metrics.accepted,
                "cleanups": self._metrics.cleanups,  # <- DCF001
            }
    ```

    ## Good
    `app/metrics.py`:

    ```python
    from dataclasses import dataclass


    @dataclass
    class QueueMetrics:
        accepted: int = 0
        cleanup_count: int = 0
    ```

    `app/queue.py`:

    ```python
    from app.metrics import QueueMetrics


    class Queue:
        def __init__(self) -> None:
            self._metrics = QueueMetrics()

        def health(self) -> dict[str, int]:
            return {"accepted": self._metrics.accepted, "cleanups": self._metrics.cleanup_count}
    ```

    ## Configuration
    None of its own.

    ## What it cannot see
    Instances whose class is not certain: results of functions without an annotation, elements of containers without
    one, names that are bound to several classes, parameters of tests (which are often doubles). Where all that
    functions use of what is annotated with one class, two attributes at least, is what another class has that the
    file deals with, and nothing that the named class has, it is the annotation that is wrong.
    """
    linked = classes_of(program)
    for missing in linked.missing_attributes:
        yield _unknown_field(linked, missing)
    for key in linked.missing_keys:
        likely = alike(key.name, key.keys)
        # More may be in a dictionary than its type declares, so that only a slip is certain.
        if key.exact or is_slip(key.name, likely):
            yield _unknown_key(key, likely)


# Arguments


def _callee(bad: BadCall) -> str:
    if bad.copy == "replace":
        return f"replace({bad.cls.name})"
    return f"{bad.cls.name}.{bad.copy}()" if bad.copy else f"{bad.cls.name}()"


def _argument_names(bad: BadCall) -> frozenset[str]:
    return frozenset(
        parameter.name
        for parameter in bad.constructor.signature
        if parameter.kind in (ParameterKind.POSITIONAL, ParameterKind.KEYWORD_ONLY)
    )


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _unexpected_message(bad: BadCall, likely: dict[str, str]) -> str:
    misfit = bad.misfit
    said = []
    if misfit.unexpected:
        noun = "an unexpected keyword argument" if len(misfit.unexpected) == 1 else "unexpected keyword arguments"
        said.append(f"got {noun} {quoted(misfit.unexpected)}")
    if misfit.positional_only:
        said.append(f"takes {quoted(misfit.positional_only)} only by position")
    if misfit.twice:
        said.append(f"got two values for {quoted(misfit.twice)}")
    if misfit.surplus:
        places = sum(p.kind <= ParameterKind.POSITIONAL for p in bad.constructor.signature)
        said.append(
            f"takes {_counted(places, 'positional argument')}, but {places + misfit.surplus} "
            f"{'is' if places + misfit.surplus == 1 else 'are'} given"
            if bad.constructor.signature
            else "takes no arguments"
        )
    meant = [likely[name] for name in misfit.unexpected if likely.get(name)]
    return f"{_callee(bad)} {' and '.join(said)}{did_you_mean(listed(meant))}"


def _cause(bad: BadCall) -> str:
    if bad.is_unchecked:
        return "Nothing checks the names: the value is set on the copy, and is in no dump and in no comparison."
    error = bad.constructor.kind.error if bad.constructor.kind is not None else "TypeError"
    if not bad.place.lazy:
        return f"The call is a {error}: importing {bad.place.path} raises it."
    return f"The call is a {error}: {bad.place.symbol or bad.place.path} raises it whenever this line is reached."


def _bad_call(bad: BadCall, message: str, anchor: str, help_text: str, data: dict[str, object]) -> Violation:
    owner = bad.constructor.owner
    related = where(owner, f"{owner.name} is defined here")
    return Violation(
        path=bad.place.path,
        span=span_of(bad.place),
        message=message,
        anchor=anchor,
        symbol=bad.place.symbol,
        cause=_cause(bad),
        help=help_text,
        related=related,
        severity=Severity.WARNING if bad.is_unchecked else None,
        lazy=bad.place.lazy,
        data={"class": bad.cls.qualname, "class_path": bad.cls.path, **data},
    )


def _takes(bad: BadCall) -> str:
    shown = ", ".join(
        {ParameterKind.VAR_POSITIONAL: "*", ParameterKind.VAR_KEYWORD: "**"}.get(p.kind, "")
        + p.name
        + ("" if p.required or p.kind in (ParameterKind.VAR_POSITIONAL, ParameterKind.VAR_KEYWORD) else "=…")
        for p in bad.constructor.signature
    )
    return f"It takes ({shown})." if shown else "It takes nothing."


@rule("DCF002", "unknown-argument", Severity.ERROR, depends=Depends.NAMES)
def unknown_argument(program: Program) -> Iterator[Violation]:
    """A constructor that is called with an argument it does not take.

    ## What it does
    Binds the arguments of each call of a first-party class to its constructor as Python does: the one that
    `@dataclass` writes from the fields (inherited ones, `kw_only`, `init=False`, `InitVar` and defaults respected), or
    the one `__init__` that the class has or inherits. Unknown keyword arguments, too many positional ones, arguments
    given twice, and names for a positional-only parameter are reported. Constructors of pydantic models (with aliases;
    unknown arguments only where they are forbidden), attrs classes, named tuples and msgspec structs are known too, and
    so are copies: `dataclasses.replace`, `attrs.evolve`, `msgspec.structs.replace`, `_replace`, and, as a
    warning (since nothing is raised), `model_copy(update=…)`.

    ## What breaks in production
    TypeError at the call. After classes were merged or a field was renamed, calls that were left behind fail on
    the first request that reaches them.

    ## Bad
    `app/context.py`:

    ```python
    from dataclasses import dataclass


    @dataclass(frozen=True)
    class UserContext:
        user_id: str
        websocket_client_id: str | None = None
    ```

    `app/socket.py`:

    ```python
    def connect(user: str, connection: str) -> object:
        from app.context import UserContext

        return UserContext(user_id=user, websocket_connection_id=connection)  # <- DCF002
    ```

    ## Good
    `app/context.py`:

    ```python
    from dataclasses import dataclass


    @dataclass(frozen=True)
    class UserContext:
        user_id: str
        websocket_client_id: str | None = None
    ```

    `app/socket.py`:

    ```python
    def connect(user: str, connection: str) -> object:
        from app.context import UserContext

        return UserContext(user_id=user, websocket_client_id=connection)
    ```

    ## Configuration
    None of its own.

    ## What it cannot see
    Classes with an unknown base, decorator or metaclass, or a `__new__`; constructors that a decorator wraps; what
    `*args` and `**kwargs` hold; models whose validators change what they are given, or whose aliases are generated.
    """
    for bad in classes_of(program).bad_calls:
        misfit = bad.misfit
        wrong = (*misfit.unexpected, *misfit.positional_only, *misfit.twice)
        if not wrong and not misfit.surplus:
            continue
        names = _argument_names(bad)
        likely = {name: alike(name, names) for name in misfit.unexpected}
        written = (*wrong, *([f"+{misfit.surplus}"] if misfit.surplus else []))
        yield _bad_call(
            bad,
            _unexpected_message(bad, likely),
            f"{bad.cls.name}({', '.join(written)})",
            f"{_takes(bad)} Mend the call, or add what is missing to {bad.constructor.owner.name}.",
            {
                "arguments": list(wrong),
                "surplus": misfit.surplus,
                "suggestions": {name: meant for name, meant in likely.items() if meant},
            },
        )


@rule("DCF003", "missing-argument", Severity.ERROR, depends=Depends.NAMES)
def missing_argument(program: Program) -> Iterator[Violation]:
    """A constructor that is called without an argument it requires.

    ## What it does
    Binds the arguments of each call of a first-party class to its constructor (see DCF002), and reports parameters
    without a default that get no value.

    ## What breaks in production
    TypeError at the call: a field without a default that is added to a shared data class breaks every caller that
    was not changed with it.

    ## Bad
    `app/health.py`:

    ```python
    from dataclasses import dataclass


    @dataclass
    class CheckResult:
        component: str
        success: bool
        score: float = 0.0
    ```

    `app/checks.py`:

    ```python
    from app.health import CheckResult


    def database() -> CheckResult:
        return CheckResult(component="database")  # <- DCF003
    ```

    ## Good
    `app/health.py`:

    ```python
    from dataclasses import dataclass


    @dataclass
    class CheckResult:
        component: str
        success: bool
        score: float = 0.0
    ```

    `app/checks.py`:

    ```python
    from app.health import CheckResult


    def database() -> CheckResult:
        return CheckResult(component="database", success=True)
    ```

    ## Configuration
    None of its own.

    ## What it cannot see
    The same as DCF002.
    """
    for bad in classes_of(program).bad_calls:
        missing = bad.misfit.missing
        if not missing:
            continue
        noun = "argument" if len(missing) == 1 else "arguments"
        yield _bad_call(
            bad,
            f"{_callee(bad)} is called without its required {noun} {listed(missing)}",
            f"{bad.cls.name}(without {', '.join(missing)})",
            f"{_takes(bad)} Pass {listed(missing)}, or give {'it' if len(missing) == 1 else 'them'} a default.",
            {"arguments": list(missing)},
        )
