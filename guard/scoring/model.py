"""What a score is made of. Every share is a fraction of lines; `points` makes a figure of it."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from fractions import Fraction
from typing import Final

import msgspec

from guard.census import Area, Unread
from guard.configuration.settings import Scoring
from guard.model import Finding, Report, Since


class Category(enum.StrEnum):
    """What is scored apart from the rest, in the order of the report."""

    COMPILES = "compiles"
    IMPORTS = "imports"
    TEXT = "text"
    MIDDLEWARE = "middleware"
    DATA_CLASSES = "data-classes"
    SSOT = "ssot"
    IMAGE = "image"

    @property
    def label(self) -> str:
        """As a reader calls it."""
        return _LABELS[self]


_LABELS: Final = {
    Category.COMPILES: "compiles",
    Category.IMPORTS: "imports",
    Category.TEXT: "text integrity",
    Category.MIDDLEWARE: "middleware",
    Category.DATA_CLASSES: "data classes",
    Category.SSOT: "one source of truth",
    Category.IMAGE: "image",
}
FAMILIES: Final[Mapping[str, Category]] = {
    "SYN": Category.COMPILES,
    "IMP": Category.IMPORTS,
    "EOL": Category.TEXT,
    "TXT": Category.TEXT,
    "MID": Category.MIDDLEWARE,
    "DCF": Category.DATA_CLASSES,
    "SSOT": Category.SSOT,
    "IMG": Category.IMAGE,
}
"""The category of a rule, by the letters of its code. Findings on comments that suppress (SUP) are in none."""
NOT_YET: Final[Mapping[str, str]] = {
    "environment": "this version of guard has no rules for it",
    "tests that prove something": "this version of guard has no rules for it",
}
"""What belongs in the picture and is not in the score, with the reason."""
WEIGHTS: Final[Mapping[Category, int]] = {
    Category.COMPILES: 25,
    Category.IMPORTS: 25,
    Category.TEXT: 10,
    Category.MIDDLEWARE: 10,
    Category.DATA_CLASSES: 10,
    Category.SSOT: 20,
    Category.IMAGE: 10,
}
AREA_WEIGHTS: Final[Mapping[Area, int]] = {Area.PRODUCTION: 4, Area.TESTS: 2, Area.TOOLING: 1}
GRADES: Final[Mapping[str, int]] = {"A": 98, "B": 95, "C": 90, "D": 75, "E": 0}
"""The least points of each grade."""
CAPPED: Final = "D"
"""The best grade while something stops the service from starting, or what would could not be read."""
FINDING_LINES: Final = 100
"""Lines of its file that a finding takes which does not take all of them."""
IMAGE_LINES: Final = 10
"""Lines of a Dockerfile that one takes on what its image lacks: a Dockerfile has few."""


def points(share: Fraction) -> float:
    """A share as points of a hundred, with two decimals, rounded down: only what is perfect has 100."""
    return (share.numerator * 10_000 // share.denominator) / 100


def change(difference: Fraction) -> float:
    """A difference of shares as points with two decimals, rounded toward zero."""
    return points(difference) if difference >= 0 else -points(-difference)


def grade(share: Fraction, *, capped: bool = False) -> str:
    """The grade of a share; at the most `CAPPED` where it is capped."""
    found = next(name for name, least in GRADES.items() if share * 100 >= least)
    return max(found, CAPPED) if capped else found


def category_weights(settings: Scoring) -> Mapping[Category, int]:
    """What each category weighs."""
    return {**WEIGHTS, **{Category(name): weight for name, weight in settings.weights.items()}}


def area_weights(settings: Scoring) -> Mapping[Area, int]:
    """What a line weighs in each area."""
    return {**AREA_WEIGHTS, **{Area(name): weight for name, weight in settings.areas.items()}}


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """Lines of one category in one area. What is not in `unclean`, `doubtful` or `unread` is clean."""

    lines: int = 0
    unclean: int = 0
    """Of files that were read: what findings take."""
    doubtful: int = 0
    """Of files that were read: the rest of what leans on Python that could not be read. Counts as unclean."""
    unread: int = 0
    """The most that files can have which could not be read or parsed. Counts as unclean."""

    @property
    def clean(self) -> int:
        """Lines that were read and in which nothing was found."""
        return self.lines - self.unclean - self.doubtful - self.unread

    def __add__(self, other: Share) -> Share:
        return Share(
            lines=self.lines + other.lines,
            unclean=self.unclean + other.unclean,
            doubtful=self.doubtful + other.doubtful,
            unread=self.unread + other.unread,
        )


class CategoryScore(msgspec.Struct, frozen=True, kw_only=True):
    """How one category stands."""

    category: Category
    weight: int
    areas: Mapping[Area, Share]
    """Only areas with any lines to look at, in the order of `Area`."""
    share: Fraction
    """The clean part of its lines, each weighed by its area."""
    best: Fraction
    """The same, if all that could not be read were clean."""
    errors: int
    warnings: int


class PackageScore(msgspec.Struct, frozen=True, kw_only=True):
    """How one part of the repository stands: a project, or a folder at the top."""

    name: str
    """Its folder; `.` for what is in no folder."""
    files: int
    lines: int
    """Of text, Python included."""
    share: Fraction
    """Its score, by the formula of the whole."""
    costs: Fraction
    """What the whole would gain if everything in it were clean."""
    categories: Mapping[Category, Fraction]
    errors: int
    warnings: int


class Lift(msgspec.Struct, frozen=True, kw_only=True):
    """Findings that have one cause, and what mending them alone would raise the score by."""

    category: Category
    findings: tuple[Finding, ...]
    """At least one, in the order of the report."""
    gain: Fraction


class Absent(msgspec.Struct, frozen=True):
    """A category that is not in the score."""

    label: str
    why: str


class LeftOut(msgspec.Struct, frozen=True, kw_only=True):
    """What the configuration leaves out of a check. The score counts it as if it were not left out."""

    files: int = 0
    """By `exclude`."""
    lines: int = 0
    findings: int = 0
    """By `exclude`, `per-file-ignores` and the baseline; and those that only an empty file keeps away."""
    rules: tuple[str, ...] = ()
    """Codes that are on in CI by default and off here: these are not in the score."""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """Where a tree stands."""

    score: Fraction
    """What is certain: all that could not be read counts as unclean. 0 where there is nothing to score."""
    best: Fraction
    """The score if all that could not be read were clean; equal to it where everything was read."""
    categories: tuple[CategoryScore, ...]
    """Those that are in the score."""
    absent: tuple[Absent, ...]
    packages: tuple[PackageScore, ...]
    """Those that cost the most first."""
    lifts: tuple[Lift, ...]
    """What raises the score the most, the most first; at most ten."""
    unread: tuple[Unread, ...]
    left_out: LeftOut
    is_blind: bool
    """Whether some Python could not be read, or something that says what is imported, started or built."""
    stops: int
    """Errors that stop a deployed service from starting."""
    suppressed: int
    """Findings that comments leave out; they are not counted against the score."""
    files: int
    python_files: int
    lines: int
    unparsed_files: int
    """Python that was read and does not parse: it has no clean line in any category that looks at Python."""
    unparsed_lines: int
    beside: Mapping[str, int]
    """How many places hold no source of the tree, and are not in the score, by kind of problem: submodules, say."""
    areas: Mapping[Area, int]
    """What a line weighs."""

    @property
    def grade(self) -> str:
        """The grade of the score; `-` where there is nothing to score."""
        if not self.categories:
            return "-"
        return grade(self.score, capped=self.is_capped)

    @property
    def is_capped(self) -> bool:
        """Whether the grade is no better than `CAPPED`, whatever the score."""
        return bool(self.stops) or self.is_blind


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """What is different since a revision."""

    since: Since
    new: tuple[Finding, ...]
    fixed: tuple[Finding, ...]
    """As the earlier tree has them."""
    before: Fraction
    """The score there."""
    categories: Mapping[Category, Fraction]
    """Shares there, of the categories that are in the score there."""


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """One commit of the history."""

    commit: str
    date: str
    """ISO 8601, when it was committed, with the offset that git recorded."""
    subject: str
    score: Fraction
    errors: int
    warnings: int
    read: bool
    """Whether everything could be read there."""


class Appraisal(msgspec.Struct, frozen=True, kw_only=True):
    """All that `guard report` says: every format is a function of this value."""

    report: Report
    """The findings of the rules that are on in a report, as the configuration has it."""
    standing: Standing
    comparison: Comparison | None = None
    history: tuple[Point, ...] = ()
    """The oldest first; the last is not the tree of the report but the newest commit."""
    notes: tuple[str, ...] = ()
    """What a reader has to know of the comparison and the history: that a clone is shallow, say."""
    failures: tuple[str, ...] = ()
    """What was asked for and does not hold, a sentence each without a full stop."""

    @property
    def exit_code(self) -> int:
        """0, 1 where something that was asked for does not hold, 3 where something could not be checked."""
        if self.report.exit_code == 3:
            return 3
        return int(bool(self.failures))
