"""What git does with the line endings of one file, by its attributes and the clone's settings (git's convert.c)."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Final

from guard.attributes import NOTHING, SET, UNSET, Decision, Line
from guard.checks.text_index import Settings


class Action(enum.Enum):
    """git's `crlf_action`, as the attributes alone give it."""

    UNDEFINED = "the attributes say nothing"
    BINARY = "no conversion"
    TEXT = "text, its ending not said"
    TEXT_LF = "text with LF"
    TEXT_CRLF = "text with CRLF"
    AUTO = "text if it looks like text, its ending not said"
    AUTO_LF = "text with LF if it looks like text"
    AUTO_CRLF = "text with CRLF if it looks like text"

    @property
    def asks_crlf(self) -> bool:
        """The attributes want CRLF in the working tree."""
        return self in (Action.TEXT_CRLF, Action.AUTO_CRLF)

    @property
    def pins_lf(self) -> bool:
        """The attributes give LF on every platform, whatever a clone's settings."""
        return self in (Action.TEXT_LF, Action.AUTO_LF)

    @property
    def is_auto(self) -> bool:
        """git looks at the content before it converts."""
        return self in (Action.AUTO, Action.AUTO_LF, Action.AUTO_CRLF)

    @property
    def normalises(self) -> bool:
        """`git add` turns CRLF into LF."""
        return self not in (Action.UNDEFINED, Action.BINARY)


_TEXT: Final = {SET: Action.TEXT, UNSET: Action.BINARY, "input": Action.TEXT_LF, "auto": Action.AUTO}
_WITH_EOL: Final = {
    (Action.AUTO, "lf"): Action.AUTO_LF,
    (Action.AUTO, "crlf"): Action.AUTO_CRLF,
    **dict.fromkeys([(action, "lf") for action in (Action.UNDEFINED, Action.TEXT, Action.TEXT_LF)], Action.TEXT_LF),
    **dict.fromkeys([(action, "crlf") for action in (Action.UNDEFINED, Action.TEXT, Action.TEXT_LF)], Action.TEXT_CRLF),
}


def action_of(decided: Mapping[str, Decision]) -> Action:
    """`convert_attrs` in convert.c: `text` first, the old `crlf` where `text` says nothing, then `eol`."""
    action = _TEXT.get(decided.get("text", NOTHING).value, Action.UNDEFINED)
    if action is Action.UNDEFINED:
        action = _TEXT.get(decided.get("crlf", NOTHING).value, Action.UNDEFINED)
    return _WITH_EOL.get((action, decided.get("eol", NOTHING).value), action)


def checks_out_crlf(action: Action, settings: Settings) -> bool:
    """Whether a checkout turns LF into CRLF for a text file (`output_eol` in convert.c)."""
    if action is Action.UNDEFINED:
        return settings.autocrlf == "true"
    if action in (Action.TEXT, Action.AUTO):
        return settings.text_is_crlf
    return action.asks_crlf


def has_filter(decided: Mapping[str, Decision]) -> bool:
    """Whether a driver or an encoding stands between disk and blob, so that the bytes are not what git compares."""
    return any(
        decided[name].value not in (UNSET, NOTHING.value)
        for name in ("filter", "working-tree-encoding")
        if name in decided
    )


def deciding_line(decided: Mapping[str, Decision]) -> Line | None:
    """The strongest line that speaks of a file's endings."""
    lines = [decided[name].line for name in ("text", "eol", "crlf") if name in decided]
    return max((line for line in lines if line is not None), key=_strength, default=None)


def _strength(line: Line) -> tuple[int, int]:
    return line.path.count("/"), line.number
