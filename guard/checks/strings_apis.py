"""The functions that are given strings to resolve: how a call of one is known, and which of its strings name what."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from typing import Final

from guard.checks.references import Ref, import_origin
from guard.checks.strings_facts import IMPORT, LAST_ONLY, MAY_CREATE, OBJECT, PATCH, RUN, SELF, SERVED
from guard.checks.strings_fold import Folded
from guard.checks.strings_reading import Found, Reading, may_be_ours
from guard.checks.strings_settings import logging_strings, texts_of
from guard.entrypoints.commands import starts_of
from guard.scopes import Binding, BindingKind, Scope, dotted

Reader = Callable[[Reading], Iterator[Found]]

CALLED: Final = frozenset(
    {
        *("patch", "object", "dict", "multiple", "spy", "setattr", "delattr"),
        *("import_module", "resolve_name", "__import__", "import_string", "include", "dictConfig"),
        *("run", "Config", "Granian", "Celery", "Popen", "call", "check_call", "check_output"),
    }
)
"""The last names of the functions. What a call is of, `api_of` says."""
MODULES: Final = frozenset(
    {
        *("unittest.mock", "mock", "importlib", "pkgutil", "logging.config", "uvicorn", "granian", "celery"),
        *("subprocess", "django.urls", "django.conf.urls", "django.utils.module_loading", "werkzeug.utils"),
    }
)
"""Where the functions are imported from."""
_MOCKERS: Final = frozenset({"mocker", "class_mocker", "module_mocker", "package_mocker", "session_mocker"})
_PATCHERS: Final = ("patch", "patch.object", "patch.dict", "patch.multiple")


def api_of(node: ast.Call, scope: Scope, rebound: Set[str]) -> tuple[Reading, Reader] | None:
    """The call and how it is read, where it is one of a function that resolves strings."""
    text = dotted(node.func)
    root, _, rest = text.partition(".")
    found = scope.lookup(root) if root else None
    looks_like = next((one for one in _PATCHERS if f".{text}".endswith(f".{one}")), "")
    if found is None:
        if looks_like and root in ("patch", "mock"):
            # Whoever lost the import of `patch` has to bring it back, and will mean the same by it.
            return _patcher(node, scope, rebound, looks_like, Ref(0, "", text))
        reader = _READERS.get(f"builtins.{text}")
        return None if reader is None else (Reading(node, scope, rebound, text), reader)
    bindings = [b for b in found[1] if not b.context.dead and not b.context.type_checking]
    fixture = _fixture(root, bindings)
    if fixture:
        reader = _READERS.get(f"{fixture}.{rest}")
        return None if reader is None else (Reading(node, scope, rebound, f"{fixture}.{rest}"), reader)
    if not bindings or any(binding.kind is not BindingKind.IMPORT for binding in bindings):
        return None
    # `try: from unittest import mock` with `except ImportError: import mock` binds it twice, and to the same.
    origins = {origin for binding in bindings if (origin := import_origin(binding, root)) is not None}
    names = {_full_name(origin, rest) for origin in origins}
    name = names.pop() if len(names) == 1 else ""
    reader = _READERS.get(name)
    if reader is not None:
        return Reading(node, scope, rebound, name.removeprefix("unittest.")), reader
    if len(origins) != 1:
        return None
    level, module, taken = origins.pop()
    callee = Ref(level, module, ".".join(part for part in (taken, rest) if part))
    if not looks_like or not may_be_ours(callee):
        return None
    return _patcher(node, scope, rebound, looks_like, callee)


def _patcher(node: ast.Call, scope: Scope, rebound: Set[str], looks_like: str, callee: Ref) -> tuple[Reading, Reader]:
    """A call of what another file has to say is `mock.patch`, or one of its kin."""
    return Reading(node, scope, rebound, f"mock.{looks_like}", callee), _READERS[f"unittest.mock.{looks_like}"]


def _full_name(origin: tuple[int, str, str], rest: str) -> str:
    level, module, name = origin
    return normal("." * level + ".".join(part for part in (module, name, rest) if part))


def normal(name: str) -> str:
    """The standard library's name of what the distribution `mock` has too."""
    if name.startswith("mock."):
        return f"unittest.{name.removeprefix('mock.') if name.startswith('mock.mock.') else name}"
    return name


def _fixture(root: str, bindings: Sequence[Binding]) -> str:
    """`mocker` or `monkeypatch`, where the name is that of a parameter which pytest fills, or made by hand."""
    if len(bindings) != 1:
        return ""
    binding = bindings[0]
    if binding.kind is BindingKind.PARAMETER:
        annotation = dotted(binding.annotation).rpartition(".")[2]
        if root in _MOCKERS or annotation in ("MockerFixture", "MockFixture"):
            return "mocker"
        return "monkeypatch" if root == "monkeypatch" or annotation == "MonkeyPatch" else ""
    value = binding.value
    if isinstance(value, ast.Call) and binding.kind in (BindingKind.WITH, BindingKind.ASSIGN):
        made = dotted(value.func)
        if made in ("monkeypatch.context", "pytest.MonkeyPatch.context", "MonkeyPatch.context"):
            return "monkeypatch"
        if made in ("pytest.MonkeyPatch", "MonkeyPatch"):
            return "monkeypatch"
    return ""


# What each of them is given


def _patch(call: Reading) -> Iterator[Found]:
    created = MAY_CREATE if call.may_create(3, "create", harmless=False) else 0
    yield from call.named(PATCH, call.argument(0, "target"), created, least=2)


def _patch_object(call: Reading) -> Iterator[Found]:
    created = MAY_CREATE if call.may_create(4, "create", harmless=False) else 0
    yield from call.attribute(PATCH, call.argument(0, "target"), call.argument(1, "attribute"), created)


def _patch_dict(call: Reading) -> Iterator[Found]:
    yield from call.named(OBJECT, call.argument(0, "in_dict"))


_MULTIPLE_OPTIONS: Final = frozenset({"target", "spec", "create", "spec_set", "autospec", "new_callable"})


def _patch_multiple(call: Reading) -> Iterator[Found]:
    target = call.argument(0, "target")
    names = [k for k in call.node.keywords if k.arg is not None and k.arg not in _MULTIPLE_OPTIONS]
    created = MAY_CREATE if call.may_create(2, "create", harmless=False) else 0
    folded = call.fold(target)
    if target is None:
        return
    if folded is None:
        for keyword in names:
            owned = call.attribute(PATCH, target, ast.Constant(keyword.arg), created)
            yield from (_at(found, keyword) for found in owned)
        return
    yield from call.named(OBJECT, target)
    for keyword in names:
        below = Folded(f"{folded.text}.{keyword.arg}", folded.base)
        yield from call.found(PATCH, below, keyword, created | LAST_ONLY)


def _at(found: Found, node: ast.expr | ast.keyword) -> Found:
    return Found(found.api, found.way, found.text, node, found.flags, found.base, found.callee)


def _spy(call: Reading) -> Iterator[Found]:
    yield from call.attribute(OBJECT, call.argument(0, "obj"), call.argument(1, "name"))


def _monkeypatch(call: Reading) -> Iterator[Found]:
    """`setattr("a.b.c", value)` and `setattr(object, "name", value)`; `delattr` without the value."""
    deletes = call.api.endswith("delattr")
    lenient = MAY_CREATE if call.may_create(2 if deletes else 3, "raising", harmless=True) else 0
    name = call.argument(1, "name")
    if deletes and name is None:
        yield from call.named(OBJECT, call.argument(0, "target"), lenient, least=2)
    elif not deletes and len(call.node.args) == 2 and not call.has("name", "value"):
        yield from call.named(OBJECT, call.argument(0), lenient, least=2)
    elif name is not None and (deletes or len(call.node.args) > 2 or call.has("value")):
        yield from call.attribute(OBJECT, call.argument(0, "target"), name, lenient)


def _import_module(call: Reading) -> Iterator[Found]:
    name = call.argument(0, "name")
    folded = call.fold(name)
    if name is None or folded is None:
        return
    dots = len(folded.text) - len(folded.text.lstrip(".")) if folded.base is None else 0
    if not dots:
        yield from call.found(IMPORT, folded, name)
        return
    package = call.fold(call.argument(1, "package"))
    rest = folded.text[dots:]
    if package is None or not rest:
        return
    if package.base is None:
        parts = package.text.split(".")
        if dots <= len(parts):
            yield from call.found(IMPORT, Folded(".".join([*parts[: len(parts) - dots + 1], rest])), name)
    elif not package.text and (package.base.level or (package.base == SELF and dots == 1)):
        base = Ref(dots, "", "") if package.base.level else SELF
        yield from call.found(IMPORT, Folded(f".{rest}", base), name)


def _dunder_import(call: Reading) -> Iterator[Found]:
    if len(call.node.args) < 5 and not call.has("level"):
        yield from call.named(IMPORT, call.argument(0, "name"))


def _resolve_name(call: Reading) -> Iterator[Found]:
    name = call.argument(0, "name")
    folded = call.fold(name)
    if name is not None and folded is not None:
        yield from call.found(SERVED if ":" in folded.text else OBJECT, folded, name)


def _import_string(call: Reading) -> Iterator[Found]:
    name = call.argument(0, "dotted_path", "import_name")
    folded = call.fold(name)
    if not call.has("silent") and len(call.node.args) < 2 and name is not None and folded is not None:
        yield from call.found(OBJECT, Folded(folded.text.replace(":", "."), folded.base), name)


def _include(call: Reading) -> Iterator[Found]:
    included = call.argument(0, "arg")
    if isinstance(included, ast.Tuple) and included.elts:
        included = included.elts[0]
    yield from call.named(IMPORT, included)


def _served(call: Reading) -> Iterator[Found]:
    application = call.argument(0, "app", "target")
    folded = call.fold(application)
    if application is None or folded is None or ":" not in folded.text:
        return
    if not call.has("app_dir", "working_dir"):
        yield from call.found(SERVED, folded, application)


def _celery(call: Reading) -> Iterator[Found]:
    for keyword in call.node.keywords:
        if keyword.arg in ("include", "imports"):
            for node in texts_of(keyword.value):
                yield from call.named(IMPORT, node)


def _dict_config(call: Reading) -> Iterator[Found]:
    value, scope = call.value(call.argument(0, "config"))
    if value is not None:
        yield from logging_strings(call.api, value, scope, call.rebound, None)


def _process(call: Reading) -> Iterator[Found]:
    """A command that is a list of literal words. Where it runs in another folder, other modules may be there."""
    command = call.argument(0, "args")
    if not isinstance(command, (ast.List, ast.Tuple)) or call.has("cwd", "shell", "executable", "env"):
        return
    words: list[str] = []
    places: dict[str, ast.expr] = {}
    for element in command.elts:
        if dotted(element) == "sys.executable":
            words.append("python")
            continue
        folded = call.fold(element)
        if folded is None or folded.base is not None:
            words.append("?")  # no program, no option and no module is named so
            continue
        words.append(folded.text)
        places.setdefault(folded.text, element)
    for start in starts_of(words):
        for text, node in places.items():
            if start.attribute and text.startswith(f"{start.module}:{start.attribute}"):
                yield from call.found(SERVED, Folded(f"{start.module}:{start.attribute}"), node)
            elif start.executed and text == start.module:
                yield from call.found(RUN, Folded(text), node)


_READERS: Final[Mapping[str, Reader]] = {
    **dict.fromkeys(("unittest.mock.patch", "mocker.patch"), _patch),
    **dict.fromkeys(("unittest.mock.patch.object", "mocker.patch.object"), _patch_object),
    **dict.fromkeys(("unittest.mock.patch.dict", "mocker.patch.dict"), _patch_dict),
    **dict.fromkeys(("unittest.mock.patch.multiple", "mocker.patch.multiple"), _patch_multiple),
    "mocker.spy": _spy,
    **dict.fromkeys(("monkeypatch.setattr", "monkeypatch.delattr"), _monkeypatch),
    "importlib.import_module": _import_module,
    "builtins.__import__": _dunder_import,
    "pkgutil.resolve_name": _resolve_name,
    **dict.fromkeys(("django.utils.module_loading.import_string", "werkzeug.utils.import_string"), _import_string),
    **dict.fromkeys(("django.urls.include", "django.conf.urls.include"), _include),
    **dict.fromkeys(("uvicorn.run", "uvicorn.Config", "granian.Granian"), _served),
    **dict.fromkeys(("celery.Celery",), _celery),
    "logging.config.dictConfig": _dict_config,
    **{f"subprocess.{name}": _process for name in ("run", "Popen", "call", "check_call", "check_output")},
}


def is_patch(module: str, name: str, api: str) -> bool:
    """Whether a function, known by its full name, is the one of `unittest.mock` that `api` says."""
    return normal(f"{module}.{name}" if name else module) == f"unittest.{api}"


# Modules that are put where imports look first


def provided_by(node: ast.Call, scope: Scope, rebound: Set[str]) -> Iterator[str]:
    """What `patch.dict("sys.modules", {"a.b": …})` and `setitem(sys.modules, "a.b", …)` put there; `*` for what cannot
    be told."""
    call = Reading(node, scope, rebound, "")
    target = call.argument(0, "in_dict", "dic")
    where = target.value if isinstance(target, ast.Constant) else dotted(target)
    if not isinstance(where, str) or not f".{where}".endswith(".sys.modules"):
        return
    if dotted(node.func).endswith("setitem"):
        name = call.fold(call.argument(1, "name"))
        yield name.text if name is not None and name.base is None else "*"
        return
    yield from (keyword.arg or "*" for keyword in node.keywords if keyword.arg not in ("in_dict", "values", "clear"))
    given = call.argument(1, "values")
    values, inner = call.value(given)
    if isinstance(values, ast.Dict):
        for key in values.keys:
            folded = None if key is None else Reading(node, inner, rebound, "").fold(key)
            yield folded.text if folded is not None and folded.base is None else "*"
    elif given is not None:
        yield "*"
