"""What the MID rules say of Django projects. The rules themselves stand beside those of other frameworks."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from guard.checks import middleware
from guard.checks.django import FAMILY, Project, Projects
from guard.checks.django_order import Double, Missing, Wrong, missing, twice, wrong_orders
from guard.checks.middleware_order import Misplaced, against_order, matches, reads_before_provider
from guard.checks.middleware_stack import Layer, Place
from guard.impact import reach_of
from guard.model import Impact, Related, Severity, Span, Violation
from guard.program import Program
from guard.rules.mid_words import called, conditions, spoken

_FIRST = "the first entry of MIDDLEWARE is the outermost"


def wrong_order(program: Program) -> Iterator[Violation]:
    """MID001: pairs in `MIDDLEWARE` that stand the wrong way round."""
    projects = program.linked(FAMILY)
    reported: set[tuple[Place, Place]] = set()

    def is_new(outer: Layer, inner: Layer) -> bool:
        size = len(reported)
        reported.add((outer.place, inner.place))
        return len(reported) > size

    for project in _by_certainty(projects.all):
        for wrong in wrong_orders(project, projects):
            if is_new(wrong.outside, wrong.inside):
                yield _wrong(wrong)
        for read in reads_before_provider(project.stack, projects.profile):
            if is_new(read.outer, read.inner) and read.read is not None:
                outer, inner, part = called(read.outer), called(read.inner), spoken(read.read.part)
                message = f"{outer} reads {part} and stands outside {inner}, which provides it"
                cause = f"{outer} runs before {inner} on every request, so {part} is not there yet."
                yield _misplaced(read, project, message, cause, _severity_of_read(read, project))
        for inverted in against_order(project.stack, program.config.middleware.order):
            if is_new(inverted.outer, inverted.inner):
                outer, inner = called(inverted.outer), called(inverted.inner)
                yield _misplaced(
                    inverted,
                    project,
                    f"{outer} stands outside {inner}, and the configured order has {inner} outside",
                    "A request passes the layers in another order than the one that the configuration asks for.",
                    _severity(project),
                )


def _by_certainty(projects: tuple[Project, ...]) -> list[Project]:
    """Those first that are known to be deployed: of two that build on one list, they are told."""
    return sorted(projects, key=lambda project: not project.certain)


def _severity(project: Project, severity: Severity | None = None) -> Severity | None:
    """Settings that nothing names, where others are named, may be in nobody's use."""
    return severity or (None if project.certain else Severity.WARNING)


def _severity_of_read(read: Misplaced, project: Project) -> Severity | None:
    known = read.read
    fails = known is not None and known.how == "read" and not known.spared
    return _severity(project, None if fails else Severity.WARNING)


def _settings(project: Project) -> tuple[Related, ...]:
    place = project.stack.place
    return (Related(place.path, place.line, f"the settings {project.name}"),)


def _wrong(wrong: Wrong) -> Violation:
    outer, inner = called(wrong.outside), called(wrong.inside)
    place, other = wrong.outside.place, wrong.inside.place
    return Violation(
        path=place.path,
        span=Span(*place.span),
        message=f"{outer} stands outside {inner}, and has to stand inside of it{conditions(wrong.conditions)}",
        anchor=f"{outer} outside {inner}",
        cause=wrong.need.effect,
        help=f"Put {inner} before {outer}: {_FIRST}.",
        related=(Related(other.path, other.line, f"{inner} is here"), *_settings(wrong.project)),
        severity=_severity(wrong.project, wrong.need.severity),
        lazy=True,
        data={"outer": outer, "inner": inner},
    )


def _misplaced(found: Misplaced, project: Project, message: str, cause: str, severity: Severity | None) -> Violation:
    outer, inner = called(found.outer), called(found.inner)
    place, other = found.outer.place, found.inner.place
    return Violation(
        path=place.path,
        span=Span(*place.span),
        message=message + conditions(found.conditions),
        anchor=f"{outer} outside {inner}",
        cause=cause,
        help=f"Put {inner} before {outer}: {_FIRST}.",
        related=(Related(other.path, other.line, f"{inner} is here"), *_settings(project)),
        severity=severity,
        lazy=True,
        data={"outer": outer, "inner": inner},
    )


def reads_too_early(program: Program) -> Iterator[Violation]:
    """MID005: reads of the session or the user in a layer outside of the one that sets it."""
    projects = program.linked(FAMILY)
    reported: set[tuple[Place, str]] = set()
    for project in _by_certainty(projects.all):
        for misplaced in reads_before_provider(project.stack, projects.profile):
            read = misplaced.read
            if read is None or (read.place, read.part) in reported:
                continue
            reported.add((read.place, read.part))
            outer, inner, part = called(misplaced.outer), called(misplaced.inner), spoken(read.part)
            if read.how == "read" and not read.spared:
                cause = "AttributeError on every request that comes here: the client sees a 500."
            else:
                cause = "It is never there at this point, so what depends on it silently never happens."
            places = ((misplaced.outer, "is installed here"), (misplaced.inner, "is installed here, so it runs inside"))
            yield Violation(
                path=read.place.path,
                span=Span(*read.place.span),
                message=f"{part} is read in {outer}, outside {inner}, which provides it"
                + conditions(misplaced.conditions),
                anchor=f"{read.how} {read.part} in {outer}",
                symbol=read.place.symbol,
                cause=cause,
                help=f"Put {inner} before {outer} in MIDDLEWARE, or read {part} behind `self.get_response(request)`.",
                related=(
                    *(Related(at.place.path, at.place.line, f"{called(at)} {words}") for at, words in places),
                    *_settings(project),
                ),
                severity=_severity_of_read(misplaced, project),
                lazy=True,
                data={"part": read.part, "reader": outer, "provider": inner},
            )


def lacks(program: Program) -> Iterator[Violation]:
    """MID002: layers that others in `MIDDLEWARE` need, or the admin."""
    projects = program.linked(FAMILY)
    reported: set[tuple[object, str]] = set()
    for project in _by_certainty(projects.all):
        for found in missing(project, projects):
            at = found.by.place if found.by is not None else project.stack.place
            if (at, found.wanted) not in reported:
                reported.add((at, found.wanted))
                yield _missing(found, at)
    if all(stack.handed for stack in program.linked(middleware.FAMILY).all):
        yield from _required(program, projects)


def _may_be(pattern: str) -> Callable[[Layer], bool]:
    return lambda layer: not layer.written or matches(layer, pattern)


def _required(program: Program, projects: Projects) -> Iterator[Violation]:
    """What the configuration requires of settings that are deployed. Where there are applications of other frameworks,
    it is meant for those."""
    kind = reach_of(program).kind
    for project in projects.all:
        if not project.certain or kind(project.settings.path) is not Impact.RUNTIME:
            continue
        for pattern in program.config.middleware.required:
            ways = project.stack.ways(_may_be(pattern))
            without = next((way for way in ways or () if not way.layers), None)
            if without is not None:
                place = project.stack.place
                yield Violation(
                    path=place.path,
                    span=Span(*place.span),
                    message=f"these settings have no {pattern} in MIDDLEWARE, which the configuration requires"
                    + conditions(without.conditions),
                    anchor=f"no {pattern}",
                    cause="Requests are served without the layer that the configuration asks for.",
                    help=f"Put {pattern} into MIDDLEWARE on every way through the settings.",
                    lazy=True,
                    data={"required": pattern},
                )


def _missing(found: Missing, at: Place) -> Violation:
    wanted = found.wanted.rpartition(".")[2]
    needs = called(found.by) if found.by is not None else "the admin"
    return Violation(
        path=at.path,
        span=Span(*at.span),
        message=f"{needs} needs {wanted}, and MIDDLEWARE has none{conditions(found.conditions)}",
        anchor=f"{needs} without {wanted}",
        cause=found.effect,
        help=f'Put "{found.wanted}" into MIDDLEWARE' + (f", before {needs}." if found.by is not None else "."),
        related=_settings(found.project),
        severity=_severity(found.project),
        lazy=True,
        data={"required": found.wanted},
    )


def doubled(program: Program) -> Iterator[Violation]:
    """MID003: layers that are in `MIDDLEWARE` twice."""
    reported: set[tuple[Place, Place]] = set()
    for project in _by_certainty(program.linked(FAMILY).all):
        for found in twice(project):
            if (found.outer.place, found.inner.place) not in reported:
                reported.add((found.outer.place, found.inner.place))
                yield _twice(found)


def _twice(found: Double) -> Violation:
    name, place, first = called(found.inner), found.inner.place, found.outer.place
    return Violation(
        path=place.path,
        span=Span(*place.span),
        message=f"{name} is in MIDDLEWARE for the second time{conditions(found.conditions)}",
        anchor=f"{name} twice",
        cause=f"Every request passes {name} twice.",
        help="Name it once.",
        related=(Related(first.path, first.line, "the first time"), *_settings(found.project)),
        severity=_severity(found.project),
        lazy=True,
        data={"layer": name},
    )
