"""What the formats of `guard report` say alike, in plain text. It may hold foreign names: see `guard.report.escape`."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Final

from guard.model import Finding, Severity
from guard.report.tally import counted
from guard.scoring.model import (
    CAPPED,
    FINDING_LINES,
    GRADES,
    IMAGE_LINES,
    Appraisal,
    Category,
    Comparison,
    Lift,
    PackageScore,
    Point,
    Share,
    Standing,
    change,
    points,
)

BAR: Final = " ▏▎▍▌▋▊▉█"
"""Eighths of a block."""


def figure(share: Fraction) -> str:
    """A share as points."""
    return f"{points(share):.2f}"


def signed(difference: Fraction) -> str:
    """A difference of shares as points with their sign; `±0` for none that shows."""
    shown = change(difference)
    return f"{shown:+.2f}" if shown else "±0.00"


def gain(value: Fraction) -> str:
    """What mending is worth, in points: with as many decimals as show something, four at the most."""
    for decimals in (2, 3, 4):
        shown = value.numerator * 10 ** (2 + decimals) // value.denominator
        if shown >= 10:
            return f"+{shown / 10**decimals:.{decimals}f}"
    return f"+{max(shown, 1) / 10**4:.4f}" if value else "+0"


def costs(value: Fraction) -> str:
    """What a part of the repository takes from the score."""
    return f"{value.numerator * 100_000 // value.denominator / 1000:.3f}" if value else "-"


def headline(appraisal: Appraisal) -> str:
    """Grade, score and, where something could not be read, how good it may be."""
    standing = appraisal.standing
    if not standing.categories:
        return "nothing to score"
    text = f"{standing.grade}, {figure(standing.score)} of 100"
    if standing.best != standing.score:
        text += f" (up to {figure(standing.best)} if what could not be analysed is clean)"
    return text


def extent(standing: Standing) -> str:
    """How much was looked at."""
    files, lines = counted(standing.files, "file"), counted(standing.lines, "line")
    return f"{files}, {standing.python_files:,} of them Python, {lines} that are not blank"


def formula(standing: Standing) -> str:
    """The formula with the weights of this report, in a few sentences."""
    weights = ", ".join(f"{one.category.label} {one.weight}" for one in standing.categories)
    areas = ", ".join(f"{area} {weight}" for area, weight in standing.areas.items())
    images = ""
    if any(one.category is Category.IMAGE for one in standing.categories):
        images = (
            " What an image lacks is taken from its Dockerfile, wherever it shows: all lines where it is not built or "
            f"does not start, else {IMAGE_LINES}."
        )
    return (
        f"The score is the mean of the categories by weight ({weights or 'none'}). A category is the share of its "
        f"lines that are clean, a line counting by what it is for ({areas}). A file that does not compile or cannot be "
        "imported has no clean line in what looks at it, and neither has one whose text is at fault; any other error "
        f"or warning takes {FINDING_LINES} lines of its file.{images} What could not be read, or leans on Python that "
        "could not be read, is not clean. Blank lines, empty files and findings of severity info count for nothing."
    )


def grades(standing: Standing) -> str:
    """The bounds of the grades, and why the grade is no better."""
    bounds = ", ".join(f"{name} from {least}" for name, least in GRADES.items() if least)
    text = f"Grades: {bounds}, else {list(GRADES)[-1]}."
    if standing.stops:
        does = "an error stops" if standing.stops == 1 else f"{standing.stops:,} errors stop"
        text += f" {CAPPED} at the best while {does} the service from starting."
    elif standing.is_blind:
        text += (
            f" {CAPPED} at the best while some Python, or what says what is imported, started or built, could not be "
            "read."
        )
    return text


def absent(standing: Standing) -> list[str]:
    """What is not in the score, one line for each reason."""
    reasons: dict[str, list[str]] = {}
    for one in standing.absent:
        reasons.setdefault(one.why, []).append(one.label)
    return [f"{', '.join(labels)}: {why}" for why, labels in reasons.items()]


def area_share(share: Share | None) -> str:
    """The clean part of one area; a dash where there is nothing."""
    return figure(Fraction(share.clean, share.lines)) if share is not None and share.lines else "-"


def lost(standing: Standing, share: Fraction, weight: int) -> Fraction:
    """What a category takes from the score."""
    return (1 - share) * weight / sum(one.weight for one in standing.categories)


def what_of(lift: Lift) -> str:
    """What to mend, in the words of the first finding."""
    return lift.findings[0].message


def where_of(lift: Lift) -> str:
    """How many findings, and in how many files where there are several."""
    files = len({finding.path for finding in lift.findings})
    found = counted(len(lift.findings), "finding")
    return f"{found} in {counted(files, 'file')}" if len(lift.findings) > 1 else found


def place_of(finding: Finding) -> str:
    """Path and line."""
    return f"{finding.path}:{finding.span.line}"


def unread(standing: Standing) -> list[str]:
    """What was not analysed, by kind of problem, with how much it is."""
    kinds: dict[str, list[int]] = {}
    for one in standing.unread:
        kinds.setdefault(one.kind, []).append(one.lines)
    told = []
    for kind, lines in sorted(kinds.items()):
        most = "any number of lines" if min(lines) < 0 else f"at most {counted(sum(lines), 'line')}"
        told.append(f"{kind}: {counted(len(lines), 'place')}, {most}")
    doubtful = {one.category: sum(share.doubtful for share in one.areas.values()) for one in standing.categories}
    in_images = doubtful.get(Category.IMAGE, 0)
    if sum(doubtful.values()) > in_images:
        told.append("what leans on these has no clean line in what looks across files")
    if standing.unparsed_files:
        extent_of = f"{counted(standing.unparsed_files, 'file')}, {counted(standing.unparsed_lines, 'line')}"
        images = ", and for images that hold it" if Category.IMAGE in doubtful else ""
        told.append(f"does not parse: {extent_of}, for every category that looks at Python{images}")
    if in_images:
        told.append(f"image: {counted(in_images, 'line')} of Dockerfiles, since not all is known of what they build")
    told += [
        f"{scored.category.label}: nothing of it could be read, if there is any"
        for scored in standing.categories
        if not scored.errors + scored.warnings
        and not any(share.clean + share.doubtful for share in scored.areas.values())
    ]
    return told


def set_aside(standing: Standing) -> list[str]:
    """What the configuration and comments leave out, and whether the score does."""
    left_out = standing.left_out
    told = []
    if left_out.files:
        excluded = f"{counted(left_out.files, 'file')}, {counted(left_out.lines, 'line')}"
        told.append(f"excluded by the configuration, and in the score all the same: {excluded}")
    if left_out.findings:
        told.append(
            "kept out of a check by the configuration, the baseline or empty files, and in the score all the same: "
            + counted(left_out.findings, "finding")
        )
    if standing.suppressed:
        told.append(f"suppressed by comments, and not in the score: {counted(standing.suppressed, 'finding')}")
    if standing.beside:
        kinds = ", ".join(f"{kind} {number:,}" for kind, number in standing.beside.items())
        told.append(f"no source of this tree, and not in the score: {kinds}")
    if left_out.rules:
        told.append(f"rules that are off, and so not in the score: {', '.join(left_out.rules)}")
    return told


def costly(standing: Standing, most: int) -> Sequence[PackageScore]:
    """The parts of the repository to show: all where they are few; else those that cost something, the most first, or
    where none does, the largest."""
    if len(standing.packages) <= most:
        return standing.packages
    costing = [one for one in standing.packages if one.costs]
    return (costing or sorted(standing.packages, key=lambda one: (-one.lines, one.name)))[:most]


def compared(comparison: Comparison, score: Fraction) -> str:
    """The difference in one line."""
    since = comparison.since
    commit = since.commit[:12]
    named = commit if since.commit.startswith(since.rev) else f"{since.rev} ({commit})"
    return (
        f"{signed(score - comparison.before)} since {named}, which had "
        f"{figure(comparison.before)}: {len(comparison.new):,} new, {len(comparison.fixed):,} fixed, "
        f"{since.unchanged:,} unchanged"
    )


def by_weight(findings: Sequence[Finding], most: int) -> Sequence[Finding]:
    """The first findings to show: errors before warnings before information, else in their order."""
    order = list(Severity)
    return sorted(findings, key=lambda finding: order.index(finding.severity))[:most]


def bars(history: Sequence[Point], width: int) -> list[str]:
    """A bar for each point, on a scale from just below the lowest to just above the highest score."""
    low, high = scale(history)
    made = []
    for point in history:
        eighths = int((point.score * 100 - low) / (high - low) * width * 8)
        made.append((BAR[-1] * (eighths // 8) + BAR[eighths % 8]).rstrip() or BAR[1])
    return made


def scale(history: Sequence[Point]) -> tuple[int, int]:
    """The whole points between which a plot runs."""
    scores = [point.score * 100 for point in history]
    low = max(0, int(min(scores)) - 1)
    return low, min(100, max(int(max(scores)) + 1, low + 2))
