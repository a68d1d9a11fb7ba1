"""The formula: from findings and a census to a `Standing`.

What makes it safe against leaving things out: a file that was not read counts for the most lines that it can have, none
of them clean; a file that leans on one that was not read has no clean line either, since what is wrong in it may
be what nobody could see; an empty file counts for nothing, and the findings are those that there are without it.
"""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Final

from guard.census import NEVER_READ, Area, Census, Counted, Unread
from guard.configuration.settings import Scoring
from guard.model import Finding, Impact, Report, Severity
from guard.scoring.model import (
    FAMILIES,
    FINDING_LINES,
    NOT_YET,
    Absent,
    Category,
    CategoryScore,
    LeftOut,
    Lift,
    PackageScore,
    Share,
    Standing,
    area_weights,
    category_weights,
)
from guard.scoring.packages import packages_of
from guard.scoring.taking import Cause, Takes, category_of, cause_of, family_of, lines_taken, takes_of

_LIFTS: Final = 10
_PYTHON: Final = (Category.COMPILES, Category.IMPORTS, Category.MIDDLEWARE, Category.DATA_CLASSES, Category.SSOT)
_SAYING_WHY: Final = frozenset({"SYN", "TXT"})
"""The families whose findings say why a file is no Python."""
_ATTRIBUTES: Final = frozenset({".gitattributes", ".editorconfig"})
_OF_OTHERS: Final = "TXT008"
"""An empty module that others import from. Its own file has no lines, and must not come to count for one through what
stands in others: then an unread one of these would raise the score."""

Cells = dict[tuple[str, Category, Area], Share]
"""Shares by package, category and area."""


def standing_of(
    report: Report, census: Census, settings: Scoring, codes: Collection[str], left_out: LeftOut | None = None
) -> Standing:
    """Where a tree stands.

    `report` is that of a run of the rules `codes` on all of the tree with nothing left out by the configuration, and
    `census` is that run's.
    """
    return _Scale(report, census, settings, codes).standing(left_out or LeftOut())


class _Scale:
    """One computation."""

    def __init__(self, report: Report, census: Census, settings: Scoring, codes: Collection[str]) -> None:
        self._report = report
        self._census = census
        self._areas = area_weights(settings)
        families = {code.rstrip("0123456789") for code in codes}
        self._on = frozenset(FAMILIES[family] for family in families if family in FAMILIES)
        self._known = {Category(name): weight for name, weight in category_weights(settings).items()}
        self._counted = [
            one for one in report.findings if one.severity is not Severity.INFO and category_of(one) is not None
        ]
        self._part = packages_of(census)
        self._files = {one.path: one for one in census.files if not one.empty}
        self._missing = {one.path for one in census.unread}
        self._taken = self._take()
        self._cells = self._fill()

    def standing(self, left_out: LeftOut) -> Standing:
        """The outcome."""
        totals = _merged(self._cells)
        scored = {category: weight for category, weight in self._known.items() if category in self._on and weight}
        present = {
            category: weight for category, weight in scored.items() if self._weighed(totals.get(category, {}))[1]
        }
        categories = tuple(self._category(category, weight, totals[category]) for category, weight in present.items())
        everything = sum(present.values())
        unparsed = [one for one in self._census.files if one.python and not one.parsed]
        beside = Counter(
            one.kind for one in self._report.problems if one.kind in NEVER_READ and one.path not in self._missing
        )
        return Standing(
            score=_mean([(one.share, one.weight) for one in categories]),
            best=_mean([(one.best, one.weight) for one in categories]),
            categories=categories,
            absent=tuple(self._absent(scored, present)),
            packages=self._packages(present, totals, everything),
            lifts=self._lifts(present, totals, everything),
            unread=self._census.unread,
            left_out=left_out,
            suppressed=self._report.suppressed,
            is_blind=self._census.hides_starts,
            stops=sum(one.impact is Impact.STARTUP and one.severity is Severity.ERROR for one in self._counted),
            files=len(self._census.files) + len(self._census.unread),
            python_files=sum(one.python for one in self._census.files) + sum(one.python for one in self._census.unread),
            lines=sum(one.lines for one in self._census.files),
            unparsed_files=len(unparsed),
            unparsed_lines=sum(one.lines for one in unparsed),
            beside=dict(sorted(beside.items())),
            areas=self._areas,
        )

    # What findings take

    def _take(self) -> dict[tuple[str, Category], list[Takes]]:
        """By file and category, what each finding takes. A file that does not parse is taken from every category that
        looks at Python by what says why."""
        taken: dict[tuple[str, Category], list[Takes]] = {}
        for finding in self._counted:
            category = category_of(finding)
            assert category is not None
            file = self._files.get(finding.path)
            takes = takes_of(finding)
            if file is not None and file.python and not file.parsed:
                if family_of(finding) in _SAYING_WHY:
                    for each in _PYTHON:
                        taken.setdefault((finding.path, each), []).append(takes._replace(whole=True))
                if category in _PYTHON:
                    continue
            for path in self._hit(finding) or (finding.path,):
                taken.setdefault((path, category), []).append(takes)
        for file in self._census.files:
            for path in file.unparsed:
                if why := taken.get((path, Category.COMPILES)):
                    taken.setdefault((file.path, Category.IMAGE), []).extend(why)
        return taken

    def _hit(self, finding: Finding) -> Sequence[str]:
        """The Dockerfiles that a finding takes from which stands in code that their images hold."""
        images = finding.data.get("images") if category_of(finding) is Category.IMAGE else None
        found = images if isinstance(images, list | tuple) else ()
        return [path for path in map(str, found) if path in self._files or path in self._missing]

    def _fill(self) -> Cells:
        cells: Cells = {}

        def add(path: str, category: Category, area: Area, share: Share) -> None:
            key = (self._part(path), category, area)
            cells[key] = cells.get(key, Share()) + share

        for file in self._census.files:
            for category in self._looked_at(file):
                takes = self._taken.get((file.path, category), ())
                lines = file.lines
                unclean = lines_taken(lines, takes)
                if file.python and not file.parsed and category in _PYTHON:
                    # Where no finding says why, a problem does.
                    add(file.path, category, file.area, Share(lines=lines, unclean=unclean, unread=lines - unclean))
                else:
                    doubtful = lines - unclean if self._is_doubtful(file, category) else 0
                    add(file.path, category, file.area, Share(lines=lines, unclean=unclean, doubtful=doubtful))
        for one in self._census.unread:
            for category in _looking_at(one):
                lines = self._most(one)
                add(one.path, category, one.area, Share(lines=lines, unread=lines))
            if one.starts:
                add(one.path, Category.IMPORTS, one.area, Share(lines=1, unread=1))
        for path, category in self._taken:
            lines = self._beside(path, category)
            if lines:
                where = self._files.get(path)
                area = Area.PRODUCTION if where is None else where.area
                add(path, category, area, Share(lines=lines, unclean=lines))
        if self._census.is_blind:
            # They count where something is found in them, which what was not read may keep from being seen.
            for file in self._census.files:
                if file.starts and (file.path, Category.IMPORTS) not in self._taken:
                    add(file.path, Category.IMPORTS, file.area, Share(lines=1, doubtful=1))
        if self._census.is_partial and ".gitattributes" not in self._files:
            add(".gitattributes", Category.TEXT, Area.PRODUCTION, Share(lines=FINDING_LINES, doubtful=FINDING_LINES))
        return cells

    def _beside(self, path: str, category: Category) -> int:
        """The lines that are there only to hold a finding: on a file that is missing, as a .gitattributes may be, or in
        which the category has nothing to look at, as in a binary one. 0 where the file's own lines do."""
        file = self._files.get(path)
        if file is None:
            return 0 if path in self._missing else FINDING_LINES
        if category in self._looked_at(file):
            return 0
        return int(any(one.cause != (_OF_OTHERS,) for one in self._taken[path, category]))

    def _most(self, one: Unread) -> int:
        """The lines of what was not read. Where there may be any number, more than all the rest: see `_unbounded`."""
        return one.lines if one.lines >= 0 else _UNBOUNDED

    def _looked_at(self, file: Counted) -> Iterator[Category]:
        """The categories that look at a file. What does not parse may be of any kind."""
        if file.lines:
            yield Category.TEXT
        if file.dockerfile and file.lines:
            yield Category.IMAGE
        if not file.python or not file.lines:
            return
        yield Category.COMPILES
        yield Category.IMPORTS
        yield Category.SSOT
        if file.middleware or not file.parsed:
            yield Category.MIDDLEWARE
        if file.classes or not file.parsed:
            yield Category.DATA_CLASSES

    def _is_doubtful(self, file: Counted, category: Category) -> bool:
        """Whether a file may have findings in a category that nobody could see, because something was not read."""
        match category:
            case Category.TEXT:
                # Which endings have to be pinned depends on what the files are.
                return self._census.is_partial and posixpath.basename(file.path) in _ATTRIBUTES
            case Category.COMPILES:
                return False
            case Category.SSOT:
                # Any file may hold the other copy of any definition.
                return self._census.is_blind
            case Category.IMAGE:
                # Where no finding says why code in it does not parse, a problem does.
                return file.doubtful or any((path, Category.COMPILES) not in self._taken for path in file.unparsed)
            case _:
                return file.doubtful

    # Shares

    def _weighed(self, shares: Mapping[Area, Share], *, best: bool = False) -> tuple[int, int]:
        """Clean lines and all lines, each weighed by its area."""
        clean = sum(
            self._areas[area] * (share.clean + (share.doubtful + share.unread if best else 0))
            for area, share in shares.items()
        )
        return clean, sum(self._areas[area] * share.lines for area, share in shares.items())

    def _share(self, shares: Mapping[Area, Share], *, best: bool = False) -> Fraction:
        clean, lines = self._weighed(shares, best=best)
        return Fraction(clean, lines) if lines else Fraction(1)

    def _category(self, category: Category, weight: int, shares: Mapping[Area, Share]) -> CategoryScore:
        errors, warnings = _counts(one for one in self._counted if category_of(one) is category)
        return CategoryScore(
            category=category,
            weight=weight,
            areas={area: shares[area] for area in Area if area in shares and shares[area].lines},
            share=self._share(shares),
            best=self._share(shares, best=True),
            errors=errors,
            warnings=warnings,
        )

    def _absent(self, scored: Collection[Category], present: Collection[Category]) -> Iterator[Absent]:
        for category, weight in self._known.items():
            if category not in self._on:
                yield Absent(category.label, "none of its rules is on")
            elif not weight:
                yield Absent(category.label, "its weight is 0")
            elif category not in present:
                yield Absent(category.label, "there is nothing of it to look at")
        for label, why in NOT_YET.items():
            yield Absent(label, why)

    def _packages(
        self, present: Mapping[Category, int], totals: Mapping[Category, Mapping[Area, Share]], everything: int
    ) -> tuple[PackageScore, ...]:
        by_part: dict[str, dict[Category, dict[Area, Share]]] = {}
        for (part, category, area), share in self._cells.items():
            if category in present:
                by_part.setdefault(part, {}).setdefault(category, {})[area] = share
        sizes: dict[str, tuple[int, int]] = {}
        for file in self._census.files:
            part = self._part(file.path)
            files, lines = sizes.get(part, (0, 0))
            sizes[part] = files + 1, lines + file.lines
        found: dict[str, list[Finding]] = {}
        for finding in self._counted:
            found.setdefault(self._part(finding.path), []).append(finding)
        packages = []
        for part, categories in by_part.items():
            files, lines = sizes.get(part, (0, 0))
            errors, warnings = _counts(iter(found.get(part, ())))
            costs = Fraction(0)
            for category, shares in categories.items():
                clean, all_lines = self._weighed(shares)
                costs += Fraction(
                    present[category] * (all_lines - clean), everything * self._weighed(totals[category])[1]
                )
            of = {category: self._share(categories[category]) for category in present if category in categories}
            packages.append(
                PackageScore(
                    name=part,
                    files=files,
                    lines=lines,
                    share=_mean([(share, present[category]) for category, share in of.items()]),
                    costs=costs,
                    categories=of,
                    errors=errors,
                    warnings=warnings,
                )
            )
        return tuple(sorted(packages, key=lambda one: (-one.costs, one.name)))

    def _lifts(
        self, present: Mapping[Category, int], totals: Mapping[Category, Mapping[Area, Share]], everything: int
    ) -> tuple[Lift, ...]:
        gains: dict[Cause, Fraction] = {}
        for (path, category), takes in self._taken.items():
            if category not in present:
                continue
            file = self._files.get(path)
            beside = self._beside(path, category)
            lines = beside or (file.lines if file is not None else 0)
            if file is not None and self._is_doubtful(file, category):
                continue
            weight = self._areas[Area.PRODUCTION if file is None else file.area] * present[category]
            scale = everything * self._weighed(totals[category])[1]
            before = beside or lines_taken(lines, takes)
            for cause in dict.fromkeys(one.cause for one in takes):
                left = [one for one in takes if one.cause != cause]
                after = beside if beside and left else lines_taken(lines, left)
                if after < before:
                    gains[cause] = gains.get(cause, Fraction(0)) + Fraction(weight * (before - after), scale)
        groups: dict[Cause, list[Finding]] = {}
        for finding in self._counted:
            groups.setdefault(cause_of(finding), []).append(finding)
        lifts = [
            Lift(category=FAMILIES[family_of(groups[cause][0])], findings=tuple(groups[cause]), gain=gain)
            for cause, gain in gains.items()
        ]
        lifts.sort(key=lambda lift: (-lift.gain, lift.findings[0].sort_key))
        return tuple(lifts[:_LIFTS])


_UNBOUNDED: Final = 10**15
"""Lines of a place that may hold any number: so many that no share is left beside them."""


def _looking_at(one: Unread) -> Iterator[Category]:
    """The categories that would look at a file that was not read, whatever is in it."""
    yield Category.TEXT
    if one.python:
        yield from _PYTHON
    if one.dockerfile:
        yield Category.IMAGE


def _merged(cells: Cells) -> dict[Category, dict[Area, Share]]:
    merged: dict[Category, dict[Area, Share]] = {}
    for (_, category, area), share in cells.items():
        areas = merged.setdefault(category, {})
        areas[area] = areas.get(area, Share()) + share
    return merged


def _mean(weighed: Sequence[tuple[Fraction, int]]) -> Fraction:
    """The weighted mean; 0 of nothing."""
    everything = sum(weight for _, weight in weighed)
    return sum((share * weight for share, weight in weighed), Fraction(0)) / everything if everything else Fraction(0)


def _counts(findings: Iterator[Finding]) -> tuple[int, int]:
    severities = [finding.severity for finding in findings]
    return severities.count(Severity.ERROR), severities.count(Severity.WARNING)
