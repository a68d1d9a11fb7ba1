"""How the demos talk."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Iterable
from typing import Final, NoReturn

_WIDTH: Final = 96


def fail(message: str) -> NoReturn:
    """End the demo: something is not as expected."""
    sys.exit(f"demo: {message}")


def title(text: str) -> None:
    """Begin a chapter."""
    show(["", bold(text), "-" * len(text)])


def item(title: str, text: str) -> None:
    """One thing of a list, with what there is to say of it."""
    show(["", f"* {bold(title)}", *textwrap.wrap(text, _WIDTH, initial_indent="  ", subsequent_indent="  ")])


def say(text: str) -> None:
    """A paragraph."""
    show(["", *textwrap.wrap(text, _WIDTH)])


def command(*words: str) -> None:
    """A command, before it is run."""
    show(["", bold(f"$ {' '.join(words)}")])


def bold(text: str) -> str:
    """`text` for a terminal, in bold."""
    return f"\x1b[1m{text}\x1b[0m" if sys.stdout.isatty() and not os.environ.get("NO_COLOR") else text


def show(lines: Iterable[str]) -> None:
    """Lines as they are."""
    # Other programs write to the same terminal next.
    print("\n".join(lines), flush=True)
