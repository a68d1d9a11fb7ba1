"""The collector for Django's settings: which statements of a module make up its `MIDDLEWARE`, and who names one."""

from __future__ import annotations

import ast
import re
from typing import Final

from guard.checks.django_facts import Forget, Naming, Op, SettingsFacts
from guard.checks.django_reader import WANTED, SettingsReader, variables_in
from guard.checks.middleware_names import last_name
from guard.listeners import Listeners
from guard.parse import Parsed
from guard.scopes import Context, Scope

_SIGN: Final = b"MIDDLEWARE"
_NAMING: Final = b"DJANGO_SETTINGS_MODULE"
_NAMED: Final = re.compile(
    rb"DJANGO_SETTINGS_MODULE[\"']?(?:[ \t]*[=: ][ \t]*|[\"',]*\s+[\"']?value[\"']?[ \t]*[:=][ \t]*)[\"']?"
    rb"([A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*)"
)
_METHODS: Final = frozenset({"append", "insert", "extend", "remove", "pop", "clear", "sort", "reverse"})
_SETTING: Final = frozenset({"setdefault"})


class Blind:
    """The collector for files that have none of the signs."""

    def listen(self, to: Listeners) -> None:
        """To nothing."""

    def finish(self, module: Scope) -> SettingsFacts | None:
        """Nothing."""
        return None


def collector(parsed: Parsed) -> SettingsCollector | Blind:
    """The collector for one file."""
    content = parsed.content
    return SettingsCollector(parsed) if _SIGN in content or _NAMING in content else Blind()


def see_text(content: bytes, _kind: str) -> SettingsFacts | None:
    """Who names a settings module in a file that is no Python: a Dockerfile, a manifest, an `.env`."""
    if _NAMING not in content:
        return None
    found = tuple(
        Naming(match[1].decode("ascii"), content.count(b"\n", 0, match.start()) + 1)
        for match in _NAMED.finditer(content)
    )
    return SettingsFacts(naming=found) if found else None


class SettingsCollector:
    """Reads one module once the walk is over."""

    def __init__(self, parsed: Parsed) -> None:
        self._tree: Final = parsed.tree
        self._reads: Final = _SIGN in parsed.content
        self._names: Final = _NAMING in parsed.content
        self._naming: list[Naming] = []
        self._elsewhere: set[str] = set()
        self._given: set[str] = set()

    def listen(self, to: Listeners) -> None:
        """Say what it wants to be told of."""
        if self._names:
            to.on_calls(_SETTING, self.on_setdefault)
            to.on(ast.Assign, self.on_assign)
        if self._reads:
            to.on_calls(_METHODS, self.on_method)

    def on_method(self, node: ast.Call, _name: str, context: Context) -> None:
        """`MIDDLEWARE.append(…)`; in a function: when that runs is not known."""
        if not isinstance(node.func, ast.Attribute):
            return
        if context.scope.kind == "module":
            self._given |= {name for argument in node.args for name in variables_in(argument, 0)}
        else:
            self._elsewhere |= WANTED & {last_name(node.func.value)}

    def on_setdefault(self, node: ast.Call, _name: str, _context: Context) -> None:
        """`os.environ.setdefault("DJANGO_SETTINGS_MODULE", "…")`."""
        if len(node.args) == 2 and _is_naming(node.args[0]):
            self._note(node.args[1])

    def on_assign(self, node: ast.Assign, _context: Context) -> None:
        """`os.environ["DJANGO_SETTINGS_MODULE"] = "…"`."""
        target = node.targets[0]
        if isinstance(target, ast.Subscript) and _is_naming(target.slice):
            self._note(node.value)

    def _note(self, value: ast.expr) -> None:
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            self._naming.append(Naming(value.value, value.lineno))

    def finish(self, module: Scope) -> SettingsFacts | None:
        """The facts of the file; None where it has no settings and names none."""
        ops: tuple[Op, ...] = ()
        if self._tree is not None and self._reads:
            try:
                ops = SettingsReader(module, self._given).read(self._tree)
                ops += tuple(Forget(name) for name in sorted(self._elsewhere) if ops)
            except RecursionError:
                ops = ()
        if not ops and not self._naming:
            return None
        return SettingsFacts(ops, tuple(self._naming))


def _is_naming(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value == "DJANGO_SETTINGS_MODULE"
