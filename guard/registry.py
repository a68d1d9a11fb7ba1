"""What a rule is, and how one is declared.

    @rule("EOL001", "crlf-committed", Severity.ERROR)
    def crlf_committed(program: Program) -> Iterator[Violation]:
        '''One line that says what is wrong.

        ## What it does
        …
        '''

The docstring is the rule's documentation: `guard rule`, the docs and SARIF's help all come from it, under the
headings of `HEADINGS`. Its examples are fenced blocks in the form that `tests/cases` uses, and run as tests.
"""

from __future__ import annotations

import enum
import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from guard.model import ALL_GATES, Gate, Severity, Violation

if TYPE_CHECKING:
    from guard.program import Program

Check = Callable[["Program"], Iterator[Violation]]


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """Two trees, the earlier one and the later one, as far as a rule may see them that compares."""

    before: Mapping[str, bytes]
    """`Report.kept` of the earlier tree."""
    now: Mapping[str, bytes]
    moved: Mapping[str, str]
    """The earlier path of each file of the later tree that was moved."""
    read: Callable[[str], str]
    """The text of a file of the later tree; empty where there is none."""


Comparison = Callable[[Change], Iterator[Violation]]

HEADINGS: Final = (
    "What it does",
    "What breaks in production",
    "Bad",
    "Good",
    "Configuration",
    "What it cannot see",
)
_CODE: Final = re.compile(r"^[A-Z]{3,4}\d{3}$")


class Depends(enum.Enum):
    """What the findings of a rule in one file depend on. Where few files have changed it is told by this what has to be
    judged again: see `guard.incremental`."""

    FILE = "file"
    """On that file, and on files that are read by their names."""
    NAMES = "names"
    """On that file, on files that it names something of, and on others only in what those keep from being reported."""
    PATHS = "paths"
    """On which files there are."""
    TREE = "tree"
    """On anything."""


class Unshared(NamedTuple):
    """A file that is in one of two trees that are compared, and not in the other."""

    path: str
    interpreter: str
    """What its shebang names; empty for none."""


Concern = Callable[["Program", Sequence[Unshared]], bool]
"""Whether what is found anywhere in the later of two trees, or was in the earlier one, may be another finding, or none,
without some files that only one of them has. How many files a finding is about does not count."""


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One rule: what it is called, how bad it is, where it is on, and the function that judges."""

    code: str
    slug: str
    severity: Severity
    gates: tuple[Gate, ...]
    errors_at: tuple[Gate, ...] = ()
    """Where its findings are errors, whatever its own severity."""
    since: str
    fixable: str
    """`safe`, `unsafe` or empty: what `--fix` can do about it."""
    impact_aware: bool
    """True where the finding's impact follows from what reaches the file; else it is that of the file's kind."""
    check: Check
    compare: Comparison | None = None
    """What is wrong with a change, where that can only be told from both trees."""
    doc: str
    depends: Depends = Depends.TREE
    concerned: Concern | None = None
    """Of a rule that depends on paths: whether it is concerned by files that come or go. None for by any."""

    @property
    def family(self) -> str:
        """The letters of the code."""
        return self.code.rstrip("0123456789")

    @property
    def summary(self) -> str:
        """The first line of the documentation."""
        return self.doc.partition("\n")[0]

    def section(self, heading: str) -> str:
        """The text under one of `HEADINGS`; empty where the documentation has none."""
        found = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", self.doc, re.MULTILINE | re.DOTALL)
        return found.group(1).strip() if found else ""


_RULES: dict[str, Rule] = {}


def rule(
    code: str,
    slug: str,
    severity: Severity,
    *,
    gates: tuple[Gate, ...] = ALL_GATES,
    errors_at: tuple[Gate, ...] = (),
    since: str = "0.1.0",
    fixable: str = "",
    impact_aware: bool = True,
    compare: Comparison | None = None,
    depends: Depends = Depends.TREE,
    concerned: Concern | None = None,
) -> Callable[[Check], Check]:
    """Declare the decorated generator as a rule. Raises ValueError for a code that is malformed or taken."""

    def declare(check: Check) -> Check:
        if not _CODE.match(code) or code in _RULES:
            raise ValueError(f"rule code {code!r} is malformed or declared twice")
        _RULES[code] = Rule(
            code=code,
            slug=slug,
            severity=severity,
            gates=gates,
            errors_at=errors_at,
            since=since,
            fixable=fixable,
            impact_aware=impact_aware,
            check=check,
            compare=compare,
            doc=inspect.cleandoc(check.__doc__ or ""),
            depends=depends,
            concerned=concerned,
        )
        return check

    return declare


@cache
def all_rules() -> Mapping[str, Rule]:
    """Every rule by code, sorted. Imports all of `guard.rules`."""
    package = importlib.import_module("guard.rules")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"guard.rules.{module.name}")
    return dict(sorted(_RULES.items()))
