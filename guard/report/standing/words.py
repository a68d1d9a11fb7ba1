"""What the formats of `guard report` say alike."""

from __future__ import annotations

from guard.scoring.model import CAPPED, FINDING_LINES, GRADES, Standing


def formula(standing: Standing) -> str:
    """The formula with the weights of this report, in a few sentences."""
    weights = ", ".join(f"{one.category.label} {one.weight}" for one in standing.categories)
    areas = ", ".join(f"{area} {weight}" for area, weight in standing.areas.items())
    return (
        f"The score is the mean of the categories by weight ({weights or 'none'}). A category is the share of its "
        f"lines that are clean, a line counting by what it is for ({areas}). A file that does not compile or cannot be "
        "imported has no clean line in what looks at it, and neither has one whose text is at fault; any other error "
        f"or warning takes {FINDING_LINES} lines of its file. What could not be read, or leans on Python that could "
        "not be read, is not clean. Blank lines, empty files and findings of severity info count for nothing."
    )


def grades(standing: Standing) -> str:
    """The bounds of the grades."""
    bounds = ", ".join(f"{name} from {least}" for name, least in GRADES.items() if least)
    text = f"{bounds}, else {list(GRADES)[-1]}"
    if standing.is_capped:
        why = "an error stops the service from starting" if standing.stops else "some Python could not be read"
        text += f"; {CAPPED} at the best while {why}"
    return text
