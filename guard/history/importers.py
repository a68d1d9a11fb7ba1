"""What became of the import lines of those who used something that is gone: the strongest sign of what replaced it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import msgspec

from guard.checks.modules import Definition, Modules
from guard.checks.references import Ref
from guard.checks.roots import parent_of
from guard.history.commits import History, Step
from guard.history.contents import Contents
from guard.history.past import Removal
from guard.where import dotted_below

_MOST_FILES: Final = 400
_FEW: Final = 1000
"""Files. So many are read one by one sooner than git searches a whole tree for a word."""
_STATEMENT: Final = re.compile(
    rb"^[ \t]*from[ \t]+(\.*)[ \t]*([\w.]*)[ \t]+import[ \t]+(?:\(([^()]*)\)|((?:[^\n#;\\]|\\\r?\n)*))", re.MULTILINE
)
_COMMENT: Final = re.compile(rb"#[^\n]*")
_ALIAS: Final = re.compile(r"(\w+)(?:\s+as\s+(\w+))?")


class Taken(msgspec.Struct, frozen=True):
    """One name of a `from … import`."""

    level: int
    module: str
    name: str
    bound: str


class Rewritten(msgspec.Struct, eq=False):
    """Importers that take something else today in place of what is gone, and how many."""

    same_commit: int = 0
    later: int = 0
    renamed: int = 0
    """Of them, those that use another name now."""

    @property
    def total(self) -> int:
        """All of them."""
        return self.same_commit + self.later


def rewritten(
    modules: Modules, history: History, contents: Contents, step: Step, removal: Removal, name: str
) -> dict[tuple[str, str], Rewritten]:
    """What the files that imported `name` from where it was removed import in its stead, by file and name of the
    definition. `step` is the change that removed it. Raises Unseen."""
    changed = {change.path: change.new for change in step.changes}
    found: dict[tuple[str, str], Rewritten] = {}
    for path, old in _users(history, contents, removal, name)[:_MOST_FILES]:
        now = contents.today(path)
        taken = set(imports_of(contents.get(old) or b""))
        dropped = {one for one in taken if one.name == name and is_from(one, path, removal.path)}
        if not dropped:
            continue
        content = contents.get(now) or b""
        kept = set(imports_of(content))
        if dropped & kept:
            continue
        bound = {one.bound for one in dropped}
        instead = [one for one in kept - taken if one.bound in bound or one.name == name]
        renamed = False
        if not instead and not re.search(rb"\b%s\b" % re.escape(name.encode()), content):
            instead, renamed = list(kept - taken), True
            if len(instead) != 1:
                continue
        at_once = changed.get(path) and set(imports_of(contents.get(changed[path]) or b"")).issuperset(instead)
        for one in instead:
            key = _defined(modules, path, one)
            if key is not None:
                counted = found.setdefault(key, Rewritten())
                counted.same_commit += bool(at_once)
                counted.later += not at_once
                counted.renamed += renamed
    return found


def _users(history: History, contents: Contents, removal: Removal, name: str) -> list[tuple[str, str]]:
    """The files that held the name just before it was removed, and are another content today; with that blob."""
    before = history.files(removal.parent)
    changed = [
        path
        for path, old in before.items()
        if path.endswith(".py") and path != removal.path and contents.today(path) not in ("", old)
    ]
    if len(changed) > _FEW:
        holding = set(history.holding(removal.parent, [name]))
        changed = [path for path in changed if path in holding]
    word = name.encode()
    return [(path, before[path]) for path in changed if word in (contents.get(before[path]) or b"")]


def imports_of(content: bytes) -> Iterator[Taken]:
    """The names that the `from … import` lines of a file take, wherever they stand. Read without parsing: there may be
    hundreds of importers."""
    for match in _STATEMENT.finditer(content):
        listed = match[3] if match[3] is not None else match[4]
        level, module = len(match[1]), match[2].decode("utf-8", "replace")
        for alias in _ALIAS.finditer(_COMMENT.sub(b"", listed).decode("utf-8", "replace")):
            yield Taken(level, module, alias[1], alias[2] or alias[1])


def is_from(taken: Taken, path: str, defined_in: str) -> bool:
    """Whether an import in the file `path` names the module of the file `defined_in`."""
    dotted = dotted_below("", defined_in)
    if taken.level:
        folder = parent_of(path)
        for _ in range(taken.level - 1):
            folder = parent_of(folder)
        return ".".join(part for part in (*folder.split("/"), taken.module) if part) == dotted
    return bool(taken.module) and f".{dotted}".endswith(f".{taken.module}")


def _defined(modules: Modules, path: str, taken: Taken) -> tuple[str, str] | None:
    """File and name of the definition that an import of today's tree leads to; None where it leads nowhere."""
    led = modules.follow(path, Ref(taken.level, taken.module, taken.name))
    if isinstance(led, Definition):
        return led.path, led.name
    for target in modules.resolve(path, taken.level, taken.module).targets[:1]:
        if target.kind in ("module", "package") and modules.binds(target, taken.name):
            return target.path, taken.name
    return None
