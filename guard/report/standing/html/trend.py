"""The score over the commits of a history, as points of a drawing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import msgspec

from guard.scoring.model import Point, points

WIDTH: Final = 760
HEIGHT: Final = 200
_LEFT: Final = 48
_RIGHT: Final = 12
_TOP: Final = 12
_BOTTOM: Final = 26


class Dot(msgspec.Struct, frozen=True, kw_only=True):
    """One commit."""

    x: float
    y: float
    score: float
    point: Point


class Trend(msgspec.Struct, frozen=True, kw_only=True):
    """A line of dots over a scale, in units of the drawing."""

    dots: tuple[Dot, ...]
    scale: tuple[tuple[float, str], ...]
    """Heights at which a line is drawn across, and what stands at it."""
    path: str
    """The line, as the `points` of a polyline."""
    low: float
    high: float


def trend(history: Sequence[Point]) -> Trend | None:
    """The drawing of a history, from the oldest commit on the left; None where there is none."""
    if not history:
        return None
    scores = [points(point.score) for point in history]
    low, high = min(scores), max(scores)
    step = _step(high - low)
    bottom = max(0.0, math.floor(low / step) * step)
    top = min(100.0, math.ceil(high / step) * step)
    while top - bottom < 4 * step and bottom > 0:
        bottom -= step
    top = max(top, bottom + 4 * step)
    across = (WIDTH - _LEFT - _RIGHT) / max(1, len(history) - 1)

    def height(score: float) -> float:
        return round(_TOP + (HEIGHT - _TOP - _BOTTOM) * (top - score) / (top - bottom), 1)

    dots = tuple(
        Dot(x=round(_LEFT + number * across, 1), y=height(score), score=score, point=point)
        for number, (score, point) in enumerate(zip(scores, history, strict=True))
    )
    lines = round((top - bottom) / step)
    digits = 0 if step >= 1 else 2
    marks = [bottom + number * step for number in range(lines + 1)]
    return Trend(
        dots=dots,
        scale=tuple((height(mark), f"{mark:.{digits}f}") for mark in marks),
        path=" ".join(f"{dot.x},{dot.y}" for dot in dots),
        low=low,
        high=high,
    )


def _step(spread: float) -> float:
    """A round distance between the lines of a scale: there are two to six of them, and no less than a point between the
    lowest and the highest, lest a change that is hardly one look like a cliff."""
    for step in (0.25, 0.5, 1.0, 2.0, 5.0, 10.0):
        if max(spread, 1.0) / step <= 4:
            return step
    return 25.0
