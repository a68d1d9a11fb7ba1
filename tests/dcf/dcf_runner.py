"""Runs the modules of one case, statement by statement, and says which statements raise. A child process of the tests.

    python dcf_runner.py FOLDER [FOLDER OF PACKAGES]

Every statement is wrapped, so that those behind one that raises run too. Functions are called with arguments that are
made up by their annotations; what is annotated with nothing in particular gets an instance of every class in turn.
Prints a JSON list of path, first line, last line and exception.
"""

from __future__ import annotations

import ast
import asyncio
import collections.abc
import dataclasses
import enum
import importlib
import importlib.abc
import importlib.machinery
import inspect
import json
import sys
import types
import typing
import warnings
from pathlib import Path

RAISED: set[tuple[str, int, int, str]] = set()
_DEPTH = 4


def _record(path: str, first: int, last: int, error: BaseException) -> None:
    RAISED.add((path, first, last, type(error).__name__))


class _Wrap(ast.NodeTransformer):
    """Puts every statement into a `try` that records what it raises."""

    def __init__(self, path: str) -> None:
        self.path = path

    def block(self, body: list[ast.stmt]) -> list[ast.stmt]:
        return [wrapped for node in body for wrapped in self.statement(node)]

    def statement(self, node: ast.stmt) -> list[ast.stmt]:
        if isinstance(node, (ast.Global, ast.Nonlocal, ast.Pass, ast.Break, ast.Continue)):
            return [node]
        if isinstance(node, ast.ImportFrom) and node.module == "__future__":
            return [node]
        last = node.end_lineno or node.lineno
        if isinstance(node, ast.ClassDef):
            for inner in node.body:
                if isinstance(inner, (ast.FunctionDef, ast.AsyncFunctionDef)):
                    inner.body = self.block(inner.body)
                elif isinstance(inner, ast.ClassDef):
                    self.statement(inner)
        else:
            for name in ("body", "orelse", "finalbody"):
                block = getattr(node, name, None)
                if isinstance(block, list) and block:
                    setattr(node, name, self.block(block))
                    if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                        last = node.lineno
            for handler in getattr(node, "handlers", []):
                handler.body = self.block(handler.body)
            for case in getattr(node, "cases", []):
                case.body = self.block(case.body)
        wrapped = ast.parse(
            f"try:\n    pass\nexcept BaseException as error__:\n"
            f"    record__({self.path!r}, {node.lineno}, {last}, error__)"
        ).body[0]
        assert isinstance(wrapped, ast.Try)
        wrapped.body = [node]
        return [wrapped]


class _Loader(importlib.abc.Loader):
    def __init__(self, path: Path, name: str) -> None:
        self.path, self.name = path, name

    def exec_module(self, module: types.ModuleType) -> None:
        tree = ast.parse(self.path.read_bytes())
        tree.body = _Wrap(self.name).block(tree.body)
        module.__dict__["record__"] = _record
        exec(compile(ast.fix_missing_locations(tree), str(self.path), "exec"), module.__dict__)


class _Finder(importlib.abc.MetaPathFinder):
    """Finds the modules of the case; what is nowhere is made up."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find_spec(self, fullname: str, path: object, target: object = None) -> importlib.machinery.ModuleSpec | None:
        place = self.folder.joinpath(*fullname.split("."))
        for file in (place / "__init__.py", place.with_suffix(".py")):
            if file.is_file():
                loader = _Loader(file, file.relative_to(self.folder).as_posix())
                return importlib.machinery.ModuleSpec(fullname, loader, is_package=file.name == "__init__.py")
        if place.is_dir():
            return importlib.machinery.ModuleSpec(fullname, _Empty(), is_package=True)
        if fullname.partition(".")[0] in ("third", "somewhere", "lib", "sqlmodel"):
            return importlib.machinery.ModuleSpec(fullname, _MadeUp(), is_package=True)
        return None


class _Empty(importlib.abc.Loader):
    def exec_module(self, module: types.ModuleType) -> None: ...


class _MadeUp(importlib.abc.Loader):
    def exec_module(self, module: types.ModuleType) -> None:
        module.__dict__["__getattr__"] = lambda name: type(name, (), {})


class _Filled(dict[object, object]):
    """A dictionary that has a value for every key."""

    def __init__(self, value: object, given: dict[object, object]) -> None:
        super().__init__(given)
        self.value = value

    def __missing__(self, key: object) -> object:
        return self.value


def _make(kind: object, depth: int = 0) -> object:
    """An instance of what an annotation describes."""
    if depth > _DEPTH or kind in (None, type(None)):
        return None
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return _make(next(one for one in arguments if one is not type(None)), depth)
    if origin in (typing.Annotated, typing.ClassVar, typing.Final, dataclasses.InitVar):
        return _make(arguments[0], depth)
    if origin in (dict, collections.abc.Mapping, collections.abc.MutableMapping):
        key, value = (_make(argument, depth + 1) for argument in arguments)
        return _Filled(value, {key: value} if isinstance(key, collections.abc.Hashable) else {})
    if origin in (collections.deque, tuple, set, frozenset):
        try:
            return origin([_make(arguments[0], depth + 1)])
        except TypeError:
            return [_make(arguments[0], depth + 1)]
    if origin is type:
        return arguments[0]
    if origin is not None and arguments and isinstance(origin, type) and issubclass(origin, collections.abc.Iterable):
        return [_make(arguments[0], depth + 1)]
    kind = origin or kind
    if not isinstance(kind, type):
        return None
    if kind is str:
        return "x"
    if issubclass(kind, enum.Enum):
        return next(iter(kind))
    try:
        return _filled(kind(), depth)
    except BaseException:
        pass
    try:
        return kind(**_arguments(kind, depth + 1))
    except BaseException:
        pass
    try:
        return kind(*_arguments(kind, depth + 1).values())
    except BaseException:
        try:
            return object.__new__(kind)
        except TypeError:
            return None


def _filled(made: object, depth: int) -> object:
    """The instance, with something in the containers that are its fields."""
    for name, hint in _hints(type(made)).items():
        if getattr(made, name, None) in ([], {}):
            object.__setattr__(made, name, _make(hint, depth + 1))
    return made


def _arguments(function: object, depth: int = 0) -> dict[str, object]:
    hints = _hints(function.__init__ if isinstance(function, type) else function)  # type: ignore[misc]
    made = {}
    for name, parameter in inspect.signature(function).parameters.items():  # type: ignore[arg-type]
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        if parameter.default is parameter.empty or depth == 0:
            made[name] = _make(hints.get(name, object), depth)
    return made


def _hints(function: object) -> dict[str, object]:
    try:
        return typing.get_type_hints(function)
    except Exception:
        return dict(getattr(function, "__annotations__", {}))


def _call(function: types.FunctionType, owner: type | None, classes: list[type]) -> None:
    hints = _hints(function)
    parameters = list(inspect.signature(function).parameters.values())
    places = [p for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    open_ones = [p.name for p in places if hints.get(p.name, object) in (object, typing.Any)]
    fillings = [_make(cls) for cls in classes] if open_ones else [None]
    for filling in [object(), *fillings]:
        made: dict[str, object] = {}
        for number, parameter in enumerate(places):
            if number == 0 and owner is not None:
                made[parameter.name] = owner if parameter.name == "cls" else _make(owner)
            elif parameter.name in open_ones:
                made[parameter.name] = filling
            else:
                made[parameter.name] = _make(hints.get(parameter.name))
        positional = [made[p.name] for p in places if p.kind is not p.KEYWORD_ONLY]
        keywords = {p.name: made[p.name] for p in places if p.kind is p.KEYWORD_ONLY}
        try:
            found = function(*positional, **keywords)
            if inspect.iscoroutine(found):
                asyncio.run(found)
            elif inspect.isgenerator(found):
                list(found)
        except BaseException:
            continue


def _functions(holder: object, module: str) -> list[tuple[types.FunctionType, type | None]]:
    found: list[tuple[types.FunctionType, type | None]] = []
    for value in list(vars(holder).values()):
        owner = holder if isinstance(holder, type) else None
        if isinstance(value, (staticmethod, classmethod)):
            owner = None if isinstance(value, staticmethod) else owner
            value = value.__func__
        if isinstance(value, property):
            value = value.fget
        value = getattr(value, "func", value)
        if isinstance(value, types.FunctionType) and value.__module__ == module:
            found.append((value, owner))
        elif isinstance(value, type) and value.__module__ == module and value is not holder:
            found += _functions(value, module)
    return found


def main() -> None:
    """Run the case in the folder that is named."""
    warnings.simplefilter("ignore")
    folder = Path(sys.argv[1])
    sys.meta_path.insert(0, _Finder(folder))
    sys.path[:0] = sys.argv[2:]
    modules = []
    for file in sorted(file for file in folder.rglob("*.py") if ".venv" not in file.parts):
        name = ".".join(file.relative_to(folder).with_suffix("").parts).removesuffix(".__init__")
        try:
            modules.append(importlib.import_module(name))
        except BaseException as error:
            print(name, repr(error), file=sys.stderr)
    classes = [c for module in modules for c in vars(module).values() if isinstance(c, type)]
    classes = [c for c in dict.fromkeys(classes) if c.__module__ in {module.__name__ for module in modules}]
    for module in modules:
        for function, owner in _functions(module, module.__name__):
            _call(function, owner, classes)
    print(json.dumps(sorted(RAISED)))


if __name__ == "__main__":
    main()
