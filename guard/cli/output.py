"""Where reports go: `--output FORMAT[:FILE]`, any number of times; to standard output at most once."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import click
import msgspec

from guard.files import replace_file
from guard.model import EnvironmentFailed, Report
from guard.registry import Rule
from guard.report import FORMATS, RenderContext, render
from guard.report.escape import visible
from guard.sources.tree import Tree

_FRAME_FILES = 400
"""Files that are read again for code frames, at the most."""
_FRAME_BYTES = 2_000_000
_FRAME_TOTAL = 200_000_000
"""Bytes of all of them."""


class Output(msgspec.Struct, frozen=True):
    """One report to write. An empty file is standard output."""

    format: str
    file: str


def parse_outputs(values: Sequence[str], formats: Collection[str] = FORMATS) -> tuple[Output, ...]:
    """The outputs that the command line asks for, in some of `formats`; text to standard output when it asks for none.

    Raises click.UsageError for an unknown format, and for two at one place.
    """
    outputs = []
    for value in values or ("text",):
        name, colon, file = value.partition(":")
        if name not in formats:
            raise click.UsageError(f"--output {value}: no such format; there are {', '.join(formats)}")
        if colon and not file:
            raise click.UsageError(f"--output {value}: names no file")
        outputs.append(Output(name, "" if file == "-" else file))
    files = [output.file for output in outputs]
    if files.count("") > 1:
        raise click.UsageError(
            "two --output on standard output: give all but one a file, as in --output json:guard.json"
        )
    twice = next((file for file in files if files.count(file) > 1), None)
    if twice is not None:
        raise click.UsageError(f"two --output to {twice}")
    return tuple(outputs)


def write_outputs(
    outputs: Sequence[Output], report: Report, tree: Tree, rules: Mapping[str, Rule], *, statistics: bool
) -> None:
    """Render and write every output. Files are written whole, then put in place.

    Raises EnvironmentFailed where a file cannot be written.
    """
    sources = frame_sources(report, tree) if any(output.format in ("text", "sarif") for output in outputs) else {}
    for output in outputs:
        color = not output.file and wants_color()
        context = RenderContext(
            rules=rules, sources=sources, statistics=statistics, color=color, width=output_width(output.file)
        )
        text = render(output.format, report, context)
        if output.file:
            write_file(output.file, text)
        else:
            write_stdout(text.encode("utf-8", "backslashreplace"))


def write_stdout(content: bytes) -> None:
    """Write to standard output what is encoded already, whatever the locale. Raises OSError."""
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()


def write_diff(text: str) -> None:
    """Write a diff to standard output; its bytes that are not UTF-8 are surrogates (PEP 383). Raises OSError."""
    if sys.stdout.isatty():
        # For eyes, not for `git apply`: a carriage return, which a change may be about, would show as nothing.
        text = "".join(f"{visible(line)}\n" for line in text.removesuffix("\n").split("\n") if text)
    write_stdout(text.encode("utf-8", "surrogateescape"))


def wants_color() -> bool:
    """`NO_COLOR` (no-color.org) wins over `FORCE_COLOR`; else colour on a terminal only."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def output_width(file: str = "") -> int:
    """The columns of what is written to `file`, or to standard output."""
    if file or not sys.stdout.isatty():
        return 100
    return min(shutil.get_terminal_size((100, 24)).columns, 160)


def frame_sources(report: Report, tree: Tree, *, everything: bool = False) -> dict[str, str]:
    """The texts of the first files that findings stand in, by path, for code frames; with `everything`, of all of them
    unless they are too large together."""
    paths = list(dict.fromkeys(finding.path for finding in report.findings))
    if not everything:
        paths = paths[:_FRAME_FILES]
    room = _FRAME_TOTAL
    sources = {}
    for path, content in tree.read_many(paths, _FRAME_BYTES):
        room -= len(content)
        if room < 0:
            break
        sources[path] = content.decode("utf-8", "replace")
    return sources


def write_file(file: str, text: str) -> None:
    """Write a file whole, then put it in place. Raises EnvironmentFailed where it cannot be written."""
    content = text.encode("utf-8", "backslashreplace")
    target = Path(file)
    try:
        if target.exists() and not target.is_file():
            target.write_bytes(content)  # a device or a pipe is written to, never replaced
        else:
            replace_file(Path(os.path.realpath(target)), content)
    except OSError as error:
        raise EnvironmentFailed(f"{file}: cannot be written: {error.strerror or error}") from error
