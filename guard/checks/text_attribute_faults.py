"""What is wrong with attribute files: lines that git drops, lines that undo one another, and what defeats them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from guard.attributes import FILE_NAME, SET, UNSET, UNSPECIFIED, Line, are_apart
from guard.checks import text_editorconfig
from guard.checks.text_editorconfig import EndOfLine
from guard.checks.text_endings import Action, checks_out_crlf
from guard.checks.text_truth import TextTruth, Verdict
from guard.checks.text_types import deploy_pattern, in_tests, is_vendored, wants_crlf

_ENDING_ATTRIBUTES: Final = frozenset({"text", "eol", "crlf", "binary"})
_TEXT_VALUES: Final = frozenset({SET, UNSET, UNSPECIFIED, "auto", "input"})
_EOL_VALUES: Final = frozenset({"lf", "crlf", UNSET, UNSPECIFIED})
_MERGE_STRATEGIES: Final = frozenset({"ours", "theirs", "ort", "recursive", "resolve", "octopus", "subtree"})
"""Names of merge *strategies* and options, which people write where a merge *driver* is asked for. git's own drivers
are `text`, `binary` and `union` (gitattributes(5), "Built-in merge drivers")."""


class AttributeFault(msgspec.Struct, frozen=True, kw_only=True):
    """One fault and where it stands."""

    path: str
    line: int
    kind: str
    """`ignored-line`, `bad-value`, `folder-pattern`, `blank-in-name`, `no-merge-driver`, `undone-pin`, `binary-source`,
    `editorconfig` or `settings`."""
    message: str
    cause: str
    help: str
    anchor: str
    """What the line says, in a form that stays the same when the line moves."""
    other: tuple[str, int, str] | None = None
    """A second place: path, line, what it is."""


def attribute_faults(truth: TextTruth) -> Iterator[AttributeFault]:
    """Every fault of the tree's attribute files. Without git there are none: nothing reads these files then."""
    if truth.git is None:
        return
    yield from _dropped(truth)
    for lines in truth.attributes.lines.values():
        for line in lines:
            yield from _line_faults(line, truth)
    yield from _weakened(truth)
    yield from _against_editors(truth)
    yield from _against_settings(truth)


def may_be_at_fault(truth: TextTruth, path: str, interpreter: str) -> bool:
    """Whether `attribute_faults` may be others, their numbers of files aside, with or without a file; `interpreter` is
    what its shebang names."""
    if truth.git is None:
        return False
    if " " in path or path.rpartition("/")[2] in (FILE_NAME, text_editorconfig.FILE_NAME):
        return True
    verdict = truth.verdict_of(path)
    if _disagreement(truth, path, verdict) is not None:
        return True
    if deploy_pattern(path, interpreter) is None:
        return False
    if truth.tree.kind == "worktree" or not verdict.action.pins_lf:
        return True
    pin = verdict.pin
    return pin is not None and any(_may_undo(line, pin, truth) for line in truth.attributes.lines[pin.path])


def _may_undo(line: Line, pin: Line, truth: TextTruth) -> bool:
    """Whether a line of the same file may take a pin from some files."""
    if line.number <= pin.number or line.macro or line.get("eol") == "lf" or are_apart(line.pattern, pin.pattern):
        return False
    return not _ENDING_ATTRIBUTES.isdisjoint(truth.attributes.expanded(line))


def _dropped(truth: TextTruth) -> Iterator[AttributeFault]:
    for line in truth.attributes.ignored:
        help_ = "Correct the line. A comment needs a line of its own; a name with a blank is written in double quotes."
        if line.text.startswith("!"):
            help_ = "Write the attribute that the excepted files should have, on a line below: `pattern -text`."
        yield AttributeFault(
            path=line.path,
            line=line.number,
            kind="ignored-line",
            message=f"git ignores this line: {line.reason}",
            cause="The files that it names get whatever other lines say, on some machines CRLF.",
            help=help_,
            anchor=line.text,
        )


def _line_faults(line: Line, truth: TextTruth) -> Iterator[AttributeFault]:
    anchor = _anchor(line)
    text, eol, driver = line.get("text"), line.get("eol"), line.get("merge")
    for name, value, good in (("text", text, _TEXT_VALUES), ("eol", eol, _EOL_VALUES)):
        if value is None or value in good:
            continue
        written = name if value == SET else f"{name}={value}"
        allowed = "`text`, `-text` or `text=auto`" if name == "text" else "`eol=lf` or `eol=crlf`, in small letters"
        yield AttributeFault(
            path=line.path,
            line=line.number,
            kind="bad-value",
            message=f"git takes no notice of `{written}`",
            cause=f"`{line.pattern}` is left as if `{name}` were not mentioned.",
            help=f"Write {allowed}.",
            anchor=anchor,
        )
    if line.pattern.endswith("/") and not line.macro and _ENDING_ATTRIBUTES.intersection(n for n, _ in line.states):
        yield AttributeFault(
            path=line.path,
            line=line.number,
            kind="folder-pattern",
            message=f"`{line.pattern}` matches no file: in attribute files a pattern that ends in `/` has no effect",
            cause="The files in the folder do not get the attributes of this line.",
            help=f"Write `{line.pattern}**`.",
            anchor=anchor,
        )
    if (name_ := _broken_name(line, truth.paths)) is not None:
        yield AttributeFault(
            path=line.path,
            line=line.number,
            kind="blank-in-name",
            message=f"git reads `{line.pattern}` as the pattern and the rest of the name as attributes",
            cause=f"{name_!r} does not get the attributes of this line.",
            help="Write the name in double quotes, or `?` for each blank.",
            anchor=anchor,
        )
    if driver in _MERGE_STRATEGIES and (truth.tree.kind == "commit" or driver not in truth.settings.merge_drivers):
        yield AttributeFault(
            path=line.path,
            line=line.number,
            kind="no-merge-driver",
            message=f"merge driver `{driver}` is not built into git",
            cause=f"A clone without `merge.{driver}.driver` in its configuration merges `{line.pattern}` as any other "
            "file, conflicts included.",
            help=f"Configure it in every clone (`git config merge.{driver}.driver true` keeps one's own side), or use "
            "a driver that git has: `-merge`, `merge=union`.",
            anchor=anchor,
        )


def _broken_name(line: Line, paths: Sequence[str]) -> str | None:
    """The file of the tree that the line was meant for, where its name has blanks that the line does not quote."""
    words = [line.pattern]
    for name, value in line.states:
        if value != SET:
            break
        words.append(name)
    candidates = {" ".join(words[:count]).removeprefix("/") for count in range(2, len(words) + 1)}
    if not candidates:
        return None
    for path in paths:
        if " " in path and (path in candidates or path.rpartition("/")[2] in candidates):
            return path
    return None


# Lines against lines


class _Undoing:
    """One line, and the files that it takes an earlier pin from or makes binary."""

    def __init__(self, pin: Line | None) -> None:
        self.pin = pin
        self.files: list[str] = []


def _weakened(truth: TextTruth) -> Iterator[AttributeFault]:
    undone: dict[Line, _Undoing] = {}
    binary: dict[Line, _Undoing] = {}
    pinned_by: dict[Line, int] = {}
    for path in truth.deploy_patterns:
        facts = truth.facts_of(path)
        if facts is not None and (facts.binary or wants_crlf(path)):
            continue
        verdict = truth.verdicts[path]
        culprit, pin = verdict.decider, verdict.pin
        if pin is not None:
            pinned_by[pin] = pinned_by.get(pin, 0) + 1
        if culprit is None or verdict.action.pins_lf or verdict.filtered or is_vendored(path) or in_tests(path):
            continue
        if pin is not None and pin != culprit:
            undone.setdefault(culprit, _Undoing(pin)).files.append(path)
        elif verdict.action is Action.BINARY:
            binary.setdefault(culprit, _Undoing(None)).files.append(path)
    for line, found in undone.items():
        pin = found.pin
        # A narrower line below a broad one is how exceptions are written; one that leaves nothing of it is a mistake.
        if pin is not None and (line.path != pin.path or len(found.files) >= pinned_by.get(pin, 0)):
            yield _undone(line, pin, found.files)
        elif truth.attributes.expanded(line).get("text") == UNSET:
            binary.setdefault(line, _Undoing(None)).files.extend(found.files)
    for line, found in binary.items():
        yield AttributeFault(
            path=line.path,
            line=line.number,
            kind="binary-source",
            message=f"`{_states(line)}` keeps git from ever normalising {_such_as(found.files)}",
            cause="CRLF that an editor on Windows writes is committed as it is, and deployed.",
            help="Give text files `text eol=lf`, and keep `binary` for what is not text.",
            anchor=_anchor(line),
        )


def _undone(line: Line, pin: Line, files: list[str]) -> AttributeFault:
    return AttributeFault(
        path=line.path,
        line=line.number,
        kind="undone-pin",
        message=f"`{line.pattern} {_states(line)}` undoes the `eol=lf` of {_such_as(files)}",
        cause="The last matching line wins, and the nearest file: on Windows these files can be checked out with CRLF.",
        help="Remove the line, or put it above the one that pins the ending.",
        anchor=_anchor(line),
        other=(pin.path, pin.number, f"`{pin.pattern}` is pinned to LF here"),
    )


# Lines against editors and settings


def _against_editors(truth: TextTruth) -> Iterator[AttributeFault]:
    if truth.editors is None:
        return
    conflicts: dict[EndOfLine, tuple[Line | None, list[str]]] = {}
    for path, verdict in truth.verdicts.items():
        setting = _disagreement(truth, path, verdict)
        if setting is not None:
            conflicts.setdefault(setting, (verdict.decider, []))[1].append(path)
    for setting, (line, files) in conflicts.items():
        yield AttributeFault(
            path=setting.path,
            line=setting.line,
            kind="editorconfig",
            message=f"editors write {setting.value.upper()} into {_such_as(files)}, and git's attributes say otherwise",
            cause="Every save brings line endings that no checkout gives, and a build copies the file as saved.",
            help=f"Let `end_of_line` under `[{setting.glob}]` and the attribute agree.",
            anchor=f"[{setting.glob}] end_of_line={setting.value}",
            other=None if line is None else (line.path, line.number, f"`{line.pattern} {_states(line)}`"),
        )


def _disagreement(truth: TextTruth, path: str, verdict: Verdict) -> EndOfLine | None:
    """What editors are asked for with a file's endings, where that is not what its attributes give."""
    action = verdict.action
    if truth.editors is None or not (action.pins_lf or action.asks_crlf) or is_vendored(path) or in_tests(path):
        return None
    setting = truth.editors.of(path)
    if setting is None or setting.value not in ("lf", "crlf", "cr"):
        return None
    differs = (setting.value == "lf") != action.pins_lf and (action.pins_lf or not wants_crlf(path))
    return setting if differs else None


def _against_settings(truth: TextTruth) -> Iterator[AttributeFault]:
    """What this clone's own settings do to files of a deploy that no attribute pins."""
    if truth.tree.kind != "worktree" or not truth.settings.text_is_crlf:
        return
    name = "core.autocrlf=true" if truth.settings.autocrlf == "true" else "core.eol=crlf"
    if truth.settings.autocrlf != "true" and truth.settings.eol != "crlf":
        return  # the platform's own ending: what EOL002 is about
    files = []
    for path in truth.deploy_patterns:
        verdict = truth.verdicts[path]
        if not (verdict.filtered or verdict.action.asks_crlf) and checks_out_crlf(verdict.action, truth.settings):
            files.append(path)
    if files:
        yield AttributeFault(
            path=FILE_NAME,
            line=1,
            kind="settings",
            message=f"{name} in this clone checks out CRLF for {_such_as(files)}",
            cause="A build that copies this working tree ships CRLF.",
            help="Pin the files with `eol=lf` in .gitattributes, which no setting overrides.",
            anchor=name,
        )


def _anchor(line: Line) -> str:
    return f"{line.pattern} {_states(line)}"


def _states(line: Line) -> str:
    written = {SET: "{}", UNSET: "-{}", UNSPECIFIED: "!{}"}
    return " ".join(written.get(value, f"{{}}={value}").format(name) for name, value in line.states)


def _such_as(files: Sequence[str]) -> str:
    more = len(files) - 1
    return files[0] + (f" and {more} more" if more else "")
