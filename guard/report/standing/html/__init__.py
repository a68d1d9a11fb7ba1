"""`html`: where a repository stands as one self-contained page: no network, light and dark, for paper too.

All but the list of findings and what sorts and filters is there without a script. What a repository holds is text on
the page, never markup: jinja2 escapes it, the script only ever sets text, and the policy of the page lets no other
script or style in than those two, by their hashes.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import re
from collections.abc import Sequence
from fractions import Fraction
from importlib.resources import files
from typing import Final

import msgspec
from markupsafe import Markup, escape

from guard.census import Area
from guard.checks.application_views import unpacked
from guard.model import Finding, Impact, Severity
from guard.report.context import RenderContext
from guard.report.escape import visible
from guard.report.standing import words
from guard.report.standing.html.duplicates import duplicates
from guard.report.standing.html.findings import Data, findings_data, part_of, script_json, size
from guard.report.standing.html.hot_spots import hot_spots
from guard.report.standing.html.onions import onions
from guard.report.standing.html.stacks import DEEPEST, pictures
from guard.report.standing.html.stacks import MOST as MOST_PICTURES
from guard.report.standing.html.trend import trend
from guard.report.tally import broken, counted, tally
from guard.report.templates import environment, prose
from guard.scoring.model import Appraisal, Share, Standing, grade, points
from guard.scoring.packages import TOP

_TITLES: Final = {
    Impact.STARTUP: "Start-up",
    Impact.RUNTIME: "Production code",
    Impact.TESTS: "Tests",
    Impact.TOOLING: "Scripts and tooling",
}
_TONES: Final = {"A": "good", "B": "good", "C": "unsure", "-": "quiet"}
_SEVERITIES: Final = {Severity.ERROR: "bad", Severity.WARNING: "unsure", Severity.INFO: "quiet"}
LIMIT: Final = 4_950_000
"""Bytes of the page, at the most."""
DATA_ROOM: Final = 4_400_000
"""Bytes of it for the findings and their code."""
_LONGEST: Final = 500
"""Columns of a name."""
_SENTENCE: Final = 1_000
"""Columns of a sentence."""
_UNREAD: Final = 200
_FIXED: Final = 100
_PACKAGES: Final = 400


def render(appraisal: Appraisal, context: RenderContext) -> str:
    """The page, below 5 MB however many findings there are. `context.sources` has the code that is shown."""
    page, beside = _rendered(appraisal, context, DATA_ROOM)
    if size(page) > LIMIT:
        # What is beside the findings seldom takes more than is kept for it.
        page, _ = _rendered(appraisal, context, max(0, LIMIT - beside))
    return page


def _rendered(appraisal: Appraisal, context: RenderContext, room: int) -> tuple[str, int]:
    """The page with at most `room` bytes of findings, and the bytes of what is beside them."""
    report, standing, comparison = appraisal.report, appraisal.standing, appraisal.comparison
    listed, more_duplicates = duplicates(report.findings, context.sources)
    spots = hot_spots(report.findings)
    pairs = onions(report.findings)
    drawn = pictures(unpacked(report.kept))
    selections = _Selections()
    for lift in standing.lifts:
        selections.add(lift.findings, words.what_of(lift))
    for spot in spots:
        selections.add(spot.findings, f"what misses {spot.label}")
    for pair in pairs:
        selections.add(pair.findings, f"{pair.outer} outside {pair.inner}")
    new = comparison.new if comparison is not None else ()
    parts = _parts(standing)
    data = findings_data(report.findings, new, parts, _TITLES, context.sources, selections.named, room)
    style, script = _file("style.css"), _file("script.js")
    pages = environment(__package__, _LONGEST)
    pages.filters.update(
        counted=counted,
        prose=functools.partial(prose, longest=_SENTENCE),
        breakable=_breakable,
        figure=words.figure,
        gain=words.gain,
        costs=words.costs,
        tone=_tone,
        severity_tone=_SEVERITIES.__getitem__,
    )
    json = script_json(data)
    page = pages.get_template("report.html.jinja").render(
        appraisal=appraisal,
        report=report,
        standing=standing,
        comparison=comparison,
        words=words,
        points=points,
        areas=tuple(Area),
        titles=_TITLES,
        tally=tally(report.findings),
        broken=broken(report),
        counts=_counts(report.findings),
        stacked=_stacked,
        packages=standing.packages[:_PACKAGES],
        package_number=_package_numbers(report.findings, parts, data).get,
        trend=trend(appraisal.history),
        spots=spots,
        onions=pairs,
        pictures=drawn[:MOST_PICTURES],
        more_pictures=len(drawn) - len(drawn[:MOST_PICTURES]),
        deepest=DEEPEST,
        duplicates=listed,
        more_duplicates=more_duplicates,
        selection=_selecting(selections, data),
        data=data,
        fatal=[problem for problem in report.problems if problem.fatal],
        noted=[problem for problem in report.problems if not problem.fatal],
        unread=standing.unread[:_UNREAD],
        most=_UNREAD,
        fixed=words.by_weight(comparison.fixed, _FIXED) if comparison is not None else (),
        style=Markup(style),
        script=Markup(script),
        json=Markup(json),
        policy=_policy(style, script),
    )
    page = page.rstrip("\n") + "\n"
    return page, size(page) - size(json) + size(script_json(data.sets))


class _Selections:
    """What buttons of the page select: findings under a name. Two of one name are told apart."""

    def __init__(self) -> None:
        self.named: dict[str, Sequence[Finding]] = {}
        self._names: dict[int, str] = {}

    def add(self, members: Sequence[Finding], name: str) -> None:
        """One more. It is known by its members from then on."""
        if name in self.named:
            name += f" ({members[0].code} {members[0].path})"
        self.named[name] = members
        self._names[id(members)] = name

    def name(self, members: Sequence[Finding]) -> str:
        """The name of a selection."""
        return self._names[id(members)]


def _selecting(selections: _Selections, data: Data) -> object:
    """A function that gives the number of a selection, and how many of its findings are listed."""
    numbers = {name: number for number, name in enumerate(selections.named)}

    def selection(members: Sequence[Finding]) -> tuple[int, int]:
        number = numbers[selections.name(members)]
        return number, len(data.sets[number][1])

    return selection


class _Part(msgspec.Struct, frozen=True):
    """A part of a stacked bar, in percent."""

    tone: str
    left: float
    width: float


def _stacked(share: Share) -> list[_Part]:
    """The lines of an area as a bar: what is clean, what findings take, what could not be known."""
    unknown = share.doubtful + share.unread
    parts, left = [], 0.0
    for tone, lines in (("good", share.clean), ("bad", share.unclean), ("unsure", unknown)):
        width = round(100 * lines / share.lines, 2)
        if lines:
            parts.append(_Part(tone, round(left, 2), max(width, 0.3)))
        left += width
    return parts


def _counts(findings: Sequence[Finding]) -> list[tuple[Impact, list[int]]]:
    """How many findings of each severity there are, by what they hit."""
    numbers = {impact: [0] * len(Severity) for impact in Impact}
    order = list(Severity)
    for finding in findings:
        numbers[finding.impact][order.index(finding.severity)] += 1
    return [(impact, counts) for impact, counts in numbers.items() if any(counts)]


def _package_numbers(findings: Sequence[Finding], parts: Sequence[str], data: Data) -> dict[str, object]:
    """The number in `data` of each part of the repository that findings stand in."""
    part = part_of(parts)
    return {part(finding.path): row[3] for finding, row in zip(findings, data.findings, strict=False)}


def _parts(standing: Standing) -> tuple[str, ...]:
    """The parts of the repository by name, and last the one for what is in no other."""
    names = sorted(one.name for one in standing.packages if one.name != TOP)
    return *names, TOP


def _tone(value: Fraction | str) -> str:
    """The class of a share, or of a grade: `good`, `unsure`, `bad` or `quiet`."""
    return _TONES.get(value if isinstance(value, str) else grade(value), "bad")


def _breakable(name: str) -> Markup:
    """A dotted name that may be broken at its dots."""
    return Markup("<wbr>").join(escape(visible(piece)) for piece in re.split(r"(?<=[.:_])", name))


def _file(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8").strip()


def _policy(style: str, script: str) -> str:
    """The content security policy: nothing from anywhere, and of what is in the page only our own style and script."""
    return (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; img-src data:; base-uri 'none'; "
        "form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode('utf-8')).digest()).decode('ascii')}'"
