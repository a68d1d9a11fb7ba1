"""From an exception in a log to the rule that should have caught it, and to the finding that says so."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import msgspec

from guard.model import Finding


class Suspect(msgspec.Struct, frozen=True, kw_only=True):
    """What an exception says is wrong."""

    rules: tuple[str, ...]
    """That find such a thing, the likeliest first."""
    name: str = ""
    """What is missing, or not taken: a name, an attribute, an argument; for a module its own."""
    module: str = ""
    """The module that should have it; empty for what belongs to no module."""
    owner: str = ""
    """The class that should have it or take it; empty for what belongs to no class."""

    @property
    def asked(self) -> tuple[str, str] | None:
        """What the history can be asked: a module, and a name or nothing."""
        if self.module:
            return self.module, "" if self.name == self.module else self.name
        return None


_MADE: Final = r"TypeError: (?:\S+\.)?(?P<owner>\w+)\.__(?:init|new)__\(\) "
"""Of the call of a class. Which arguments a function takes no rule looks at."""
_KNOWN: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    (
        r"ImportError: cannot import name '(?P<name>[^']+)' from partially initialized module '(?P<module>[^']+)'",
        ("IMP005",),
    ),
    (r"ImportError: cannot import name '(?P<name>[^']+)' from '(?P<module>[^']+)'", ("IMP002", "IMP004", "IMP015")),
    (r"ModuleNotFoundError: No module named '(?P<module>(?P<name>[^']+))'", ("IMP001", "IMP003", "IMP009", "IMP004")),
    (r"ImportError: attempted relative import", ("IMP012",)),
    (
        r"AttributeError: (?:partially initialized )?module '(?P<module>[^']+)' has no attribute '(?P<name>[^']+)'",
        ("IMP011", "IMP004", "IMP005"),
    ),
    (
        r"AttributeError: (?:type object )?'(?P<owner>[^']+)'(?: object)? has no attribute '(?P<name>[^']+)'",
        ("DCF001",),
    ),
    (_MADE + r"got an unexpected keyword argument '(?P<name>[^']+)'", ("DCF002",)),
    (_MADE + r"missing \d+ required .*arguments?: '(?P<name>[^']+)'", ("DCF003",)),
    (r"TypeError: Unexpected keyword argument '(?P<name>[^']+)'", ("DCF002",)),  # of a struct of msgspec
    (r"TypeError: Missing required argument '(?P<name>[^']+)'", ("DCF003",)),
    (r"(?:NameError|UnboundLocalError): .*name '(?P<name>[^']+)'", ("SYN004",)),
    (r"(?:SyntaxError|IndentationError|TabError): ", ("SYN001", "SYN003", "TXT001", "TXT005", "SYN002")),
    (r"AssertionError: (?P<name>\w*Middleware) must be installed", ("MID005", "MID001")),
)


def suspect_of(said: str) -> Suspect | None:
    """What an exception, as `Type: message`, blames; None for one that no rule looks for."""
    for pattern, rules in _KNOWN:
        match = re.search(pattern, said)
        if match is not None:
            groups = match.groupdict()
            name, module, owner = (groups.get(key) or "" for key in ("name", "module", "owner"))
            return Suspect(rules=rules, name=name, module=module, owner=owner.rpartition(".")[2])
    return None


def finding_for(suspect: Suspect, place: str, findings: Sequence[Finding]) -> Finding | None:
    """The finding that tells of it: of one of its rules, on its name, best in the file where it was raised."""
    path = place.rpartition(":")[0]
    ranked = [
        (suspect.rules.index(finding.code), not _is_same_file(path, finding.path), at, finding)
        for at, finding in enumerate(findings)
        if finding.code in suspect.rules and _is_on(finding, suspect, path)
    ]
    return min(ranked, key=lambda one: one[:3])[3] if ranked else None


def _is_on(finding: Finding, suspect: Suspect, path: str) -> bool:
    if not suspect.name:
        return _is_same_file(path, finding.path)
    last = suspect.name.rpartition(".")[2]
    names = finding.data.get("names")
    if isinstance(names, list | tuple) and last in names:
        return True
    return re.search(rf"(?<!\w){re.escape(last)}(?!\w)", f"{finding.message} {finding.symbol}") is not None


def _is_same_file(deployed: str, path: str) -> bool:
    """Whether a file of the deployed service is that of the tree: its path ends the same, below its first folders."""
    parts = path.split("/")
    shown = "/".join(parts[-min(2, len(parts)) :])
    return bool(deployed) and (deployed == shown or deployed.endswith(f"/{shown}") or path.endswith(f"/{deployed}"))
