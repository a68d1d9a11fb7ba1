"""Names and submodules that a module gets behind its text: through `sys.modules`, frames, finders and enumerations.

Few files do any of that, and their bytes say which. So this is a walk of its own, off the way of all others.
"""

from __future__ import annotations

import ast
import re
from typing import Final

from guard.scopes import dotted

_TELLS: Final = re.compile(
    rb"sys\.modules(\.get\(|\[)__name__[\])]|sys\.modules\[[^\]\n]*\]\.__dict__|f_globals|meta_path|declare_namespace|"
    rb"global_enum|pghistory|_convert_|builtins(__)?\.globals|import_module\(__name__\)|__import__\(__name__\)"
)
"""What is common to all of it. A pattern is slow to look for, so it is asked only in files that have one of `WORDS`,
`sys.modules`, or one of `CALLS`."""
WORDS: Final = (b"f_globals", b"meta_path", b"global_enum", b"pghistory")
CALLS: Final = frozenset({"globals", "declare_namespace", "_convert_", "import_module", "__import__"})
WRITERS: Final = frozenset({"update", "setdefault", "__setitem__", "pop", "__delitem__"})
_LOOKS: Final = frozenset(
    {
        *("getattr", "hasattr", "dir", "getmembers", "loadTestsFromModule", "testmod"),
        *("id", "type", "print", "repr", "str", "bool", "isinstance"),
    }
)
_HARMLESS: Final = (ast.Compare, ast.UnaryOp, ast.If, ast.While, ast.Assert, ast.Expr, ast.FormattedValue, ast.BoolOp)


class Writes:
    """What one file does to the namespaces of modules; all empty for nearly every file."""

    def __init__(self, tree: ast.AST, content: bytes) -> None:
        self.open = ""
        """Why any name may be bound in the module itself."""
        self.injects = False
        """Whether it binds names in modules that it does not name."""
        self.extends_path = False
        """Whether submodules may come from elsewhere."""
        self.provides: list[str] = []
        """Dotted modules that a finder is told of."""
        self.names: list[tuple[str, int]] = []
        """Names that it binds in itself as `sys.modules[__name__].name = …`, with their lines."""
        if not _TELLS.search(content):
            return
        nodes = list(ast.walk(tree))
        aliases = {
            target.id
            for node in nodes
            if isinstance(node, ast.Assign) and _is_own_module(node.value)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for node in nodes:
            self._look_at(node)
            for child in ast.iter_child_nodes(node):
                is_alias = isinstance(child, ast.Name) and child.id in aliases and isinstance(child.ctx, ast.Load)
                if is_alias or _is_own_module(child):
                    self._use_of_itself(node, child, is_alias=is_alias)

    def _opens(self, why: str) -> None:
        self.open = self.open or why

    def _look_at(self, node: ast.AST) -> None:
        if isinstance(node, ast.Call):
            self._look_at_call(node)
        elif isinstance(node, ast.Subscript):
            if not isinstance(node.ctx, ast.Load):
                self._write_through(node.value)
        elif isinstance(node, ast.ClassDef):
            if any(dotted(decorator).rpartition(".")[2] == "global_enum" for decorator in node.decorator_list):
                self._opens("members of an enumeration")
            for decorator in node.decorator_list:
                if isinstance(decorator, ast.Call) and dotted(decorator.func) == "pghistory.track":
                    self._tracks(node, decorator)
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Attribute) and node.value.attr == "f_globals":
            self._write_through(node.value)

    def _tracks(self, node: ast.ClassDef, call: ast.Call) -> None:
        """django-pghistory puts a model of the events of another one beside it: of the name that it is told, or one
        that follows from the names of the model and its fields. https://django-pghistory.readthedocs.io
        """
        options = {keyword.arg: keyword.value for keyword in call.keywords}
        name = options.get("model_name")
        if isinstance(name, ast.Constant) and isinstance(name.value, str):
            self.names.append((name.value, node.lineno))
        elif name is None and "fields" not in options and None not in options:
            self.names.append((f"{node.name}Event", node.lineno))
        else:
            self._opens("pghistory.track")

    def _look_at_call(self, node: ast.Call) -> None:
        name = _called(node)
        func = node.func
        if name == "_convert_":
            self._opens("members of an enumeration")
        elif name == "declare_namespace":
            self.extends_path = True
        elif isinstance(func, ast.Attribute):
            if name in WRITERS:
                self._write_through(func.value)
            elif name == "globals":
                if dotted(func.value) in ("builtins", "__builtins__"):
                    self._opens("globals() is handed on")
            elif name in ("append", "insert") and dotted(func.value).endswith("meta_path"):
                self.extends_path = True
                self.provides.extend(_texts(node))

    def _use_of_itself(self, parent: ast.AST, module: ast.AST, *, is_alias: bool) -> None:
        """What a file does with its own module: looking at it is harmless, an attribute is a name, all else is open."""
        if isinstance(parent, ast.Attribute) and parent.attr not in ("__dict__", "__class__"):
            if not isinstance(parent.ctx, ast.Load):
                self.names.append((parent.attr, parent.lineno))
            return
        if isinstance(parent, ast.Call) and parent.args and parent.args[0] is module:
            name = _called(parent)
            if name in _LOOKS:
                return
            if name == "setattr" and len(parent.args) > 1:
                attribute = parent.args[1]
                if isinstance(attribute, ast.Constant) and isinstance(attribute.value, str):
                    self.names.append((attribute.value, parent.lineno))
                    return
        if isinstance(parent, ast.Assign) and all(isinstance(target, ast.Name) for target in parent.targets):
            if not is_alias:
                return
        elif isinstance(parent, _HARMLESS) and (is_alias or not isinstance(parent, ast.BoolOp)):
            return
        self._opens("the module itself is handed on")

    def _write_through(self, owner: ast.expr) -> None:
        if not isinstance(owner, ast.Attribute):
            return
        if owner.attr == "f_globals":
            self._opens("f_globals[…] =")
            self.injects = True  # the frame may be that of whoever calls this
        elif owner.attr == "__dict__" and isinstance(owner.value, ast.Subscript) and not _is_own_module(owner.value):
            self.injects = self.injects or dotted(owner.value.value).endswith("sys.modules")


def _called(node: ast.Call) -> str:
    func = node.func
    return func.attr if isinstance(func, ast.Attribute) else func.id if isinstance(func, ast.Name) else ""


def _is_own_name(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "__name__"


def _is_own_module(node: ast.AST) -> bool:
    """Whether it is `sys.modules[__name__]`, or another way to write that."""
    if isinstance(node, ast.Subscript):
        return _is_own_name(node.slice) and dotted(node.value).endswith("sys.modules")
    if not isinstance(node, ast.Call) or not node.args or not _is_own_name(node.args[0]):
        return False
    function = dotted(node.func)
    return function.endswith("sys.modules.get") or function.rpartition(".")[2] in ("import_module", "__import__")


def _texts(node: ast.Call) -> list[str]:
    return [
        inner.value
        for argument in node.args
        for inner in ast.walk(argument)
        if isinstance(inner, ast.Constant) and isinstance(inner.value, str)
    ]
