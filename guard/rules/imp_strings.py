"""Strings that name modules and attributes which are not there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import msgspec

from guard.checks.definitions import definitions_of, nearest
from guard.checks.modules import FAMILY as MODULES
from guard.checks.modules import Modules
from guard.checks.strings import FAMILY, BrokenString
from guard.checks.strings_commands import BrokenEntryPoint, broken_entry_points
from guard.checks.strings_facts import LAZY, SURE_TO_RUN
from guard.checks.strings_resolve import Lost, Resolver
from guard.entrypoints import named_elsewhere
from guard.impact import reach_of
from guard.mending.imports import Mending
from guard.mending.strings import entry_point_mending, string_mending
from guard.model import Impact, Related, Severity, Span, Violation
from guard.program import Program
from guard.registry import Depends, rule


@rule("IMP006", "broken-string-target", Severity.ERROR, fixable="safe", depends=Depends.NAMES)
def broken_string_target(program: Program) -> Iterator[Violation]:
    """A dotted path in a string that leads nowhere when it is resolved.

    ## What it does
    Follows strings as the program does: modules are imported as far as they go, then attributes are taken. It knows
    `mock.patch` with `object`, `dict` and `multiple`, pytest-mock and `monkeypatch`, `importlib.import_module`,
    `pkgutil.resolve_name` and `__import__`; what uvicorn, gunicorn, celery, `python -m` and their like are given in
    Python code, Dockerfiles, compose files, manifests, Procfiles and shell scripts; entry points in pyproject.toml,
    setup.cfg and setup.py; the settings of Django, and dictionaries for `logging.config`. A name that a module binds
    only inside a function is no attribute of the module; one that only instances have is none of the class.

    ## What breaks in production
    A server, a worker or a console script that does not start; a test that fails before it tests anything.

    ## Bad
    `app/__init__.py`:

    ```python
    ```

    `app/handler.py`:

    ```python
    def handle(user):
        from app.bridge import create_bridge

        return create_bridge(user)
    ```

    `app/bridge.py`:

    ```python
    def create_bridge(user): ...
    ```

    `tests/test_handler.py`:

    ```python
    from unittest.mock import patch


    def test_handle():
        with patch("app.handler.create_bridge"):  # <- IMP006
            ...
    ```

    ## Good
    `app/__init__.py`:

    ```python
    ```

    `app/handler.py`:

    ```python
    def handle(user):
        from app.bridge import create_bridge

        return create_bridge(user)
    ```

    `app/bridge.py`:

    ```python
    def create_bridge(user): ...
    ```

    `tests/test_handler.py`:

    ```python
    from unittest.mock import patch


    def test_handle():
        with patch("app.bridge.create_bridge"):
            ...
    ```

    ## Configuration
    None.

    ## What it cannot see
    Strings that are put together from anything but literals and names that are assigned one. Attributes of what is
    neither a module nor a class whose bases are all known. Modules that may bind any name. What may be meant to fail:
    under `pytest.raises` and its like, in tests that are skipped, and processes that tests start. Of commands, the
    folder that they are run in: a module is reported as missing only where no file of the tree could be it.
    """
    modules = program.linked(MODULES)
    strings = program.linked(FAMILY)
    reach = reach_of(program)
    whole = program.focus is None
    entries = list(broken_entry_points(program, reach.entry_points)) if whole else []
    others = list(broken_entry_points(program, named_elsewhere(program.tree))) if whole else []
    losses = [*(broken.lost for broken in strings.broken), *(broken.lost for broken in (*entries, *others))]
    teller = _Teller(modules, strings.resolver, losses)
    for broken in strings.broken:
        # That a process does not start may be what a test is about; nothing tells where it finds that out.
        if broken.use.api.partition(".")[0] in _STARTERS and reach.kind(broken.path) is Impact.TESTS:
            continue
        yield _mendable(_of_python(broken, teller), string_mending(program, broken))
    for entry in entries:
        kind = reach.kind(entry.entry.path)
        impact = Impact.STARTUP if kind is Impact.RUNTIME else kind
        yield _mendable(_of_entry_point(entry, teller, impact), entry_point_mending(program, entry))
    for entry in others:
        violation = _of_entry_point(entry, teller, reach.kind(entry.entry.path))
        yield _mendable(violation, entry_point_mending(program, entry))


def _mendable(violation: Violation, mending: Mending | None) -> Violation:
    """The violation with what a fix needs to know."""
    if mending is None:
        return violation
    return msgspec.structs.replace(violation, fix=mending.fix, data={**violation.data, **mending.data})


_STARTERS: Final = frozenset({"uvicorn", "granian", "subprocess", "celery"})
"""What starts a process, or has one load what it is given."""


class _Teller:
    """What there is to say of what is not there."""

    def __init__(self, modules: Modules, resolver: Resolver, losses: Iterable[Lost]) -> None:
        self._modules = modules
        self._resolver = resolver
        names = frozenset(lost.name for lost in losses if lost.cls is None)
        self._defining: Mapping[str, list[str]] = definitions_of(modules, names) if names else {}

    def reason(self, lost: Lost) -> str:
        """What is missing, and what was perhaps meant."""
        if lost.cls is not None:
            if lost.on_instances:
                return f"class {lost.holder} has no {lost.name}: only its instances have it"
            return (
                f"class {lost.holder} has no {lost.name}{_meant(lost.name, self._resolver.classes.names_of(lost.cls))}"
            )
        if lost.name == "__main__":
            return f"package {lost.holder} has no __main__ module, so it cannot be executed"
        if lost.as_module:
            if lost.targets and lost.targets[0].kind == "module":
                return f"module {lost.holder}.{lost.name} does not exist: {lost.holder} is a module, not a package"
            return f"module {'.'.join(part for part in (lost.holder, lost.name) if part)} does not exist"
        told = f"{lost.holder} does not define {lost.name}"
        for _, _, function in self._resolver.local_to(lost.targets, lost.name):
            return f"{told}: only {function}() imports it, for itself"
        bound = [name for target in lost.targets for name in self._names(target.path)]
        return told + _meant(lost.name, bound)

    def _names(self, path: str) -> Iterable[str]:
        facts = self._modules.facts.get(path)
        return () if facts is None else facts.names

    def related(self, lost: Lost) -> tuple[Related, ...]:
        """Where the holder is, and where a function has the name for itself."""
        if lost.cls is not None:
            return (
                Related(lost.cls.path, self._resolver.classes.line_of(lost.cls), f"the class that has no {lost.name}"),
            )
        for path, line, function in self._resolver.local_to(lost.targets, lost.name):
            return (Related(path, line, f"imported inside {function}(), so it is no attribute of the module"),)
        if lost.as_module:
            return ()
        return tuple(
            Related(target.path, 1, f"the module that does not define {lost.name}")
            for target in lost.targets[:1]
            if target.kind in ("module", "package")
        )

    def help(self, lost: Lost, path: str) -> str:
        """The way out."""
        if lost.cls is not None:
            if lost.on_instances:
                return f"Patch it on an instance, or give {lost.cls.name} a class attribute {lost.name}."
            return f"Name what {lost.cls.name} calls it today."
        places = [place for place in self._defining.get(lost.name, ()) if place != path]
        if places:
            return f"{lost.name} is defined in {nearest(places, path)}: name the module in which it is looked up."
        return f"Nothing in this tree defines {lost.name}: name what took its place, or delete what uses it."


_ALIKE: Final = 80
"""Percent of likeness from which a name may be a mistyped one."""


def _meant(name: str, candidates: Iterable[str]) -> str:
    from rapidfuzz import fuzz, process  # imported where something is found: most runs find nothing

    best = process.extractOne(name, sorted(set(candidates)), scorer=fuzz.ratio, score_cutoff=_ALIKE)
    return f"; did you mean {best[0]}?" if best else ""


def _data(shown: str, lost: Lost) -> dict[str, object]:
    return {"module": lost.holder, "name": lost.name, "target": shown}


_RAISES: Final = {
    "mock": "The patch raises AttributeError when it is entered, so nothing behind it runs.",
    "mocker": "The patch raises AttributeError, so nothing behind it runs.",
    "monkeypatch": "The call raises AttributeError, so nothing behind it runs.",
    "importlib": "The call raises ModuleNotFoundError.",
    "__import__": "The call raises ModuleNotFoundError.",
    "pkgutil": "The call raises ModuleNotFoundError or AttributeError.",
    "logging": "Setting up logging raises ValueError: the class or the value cannot be resolved.",
    "uvicorn": "The server cannot load the application, and exits.",
    "granian": "The server cannot load the application, and exits.",
    "celery": "The worker raises ModuleNotFoundError when it starts.",
    "subprocess": "The process that is started fails at once.",
}
_RAISES_IN_SETTINGS: Final = "Django raises ModuleNotFoundError or ImportError when it reads the setting."


def _of_python(broken: BrokenString, teller: _Teller) -> Violation:
    use, lost = broken.use, broken.lost
    imports = use.api in ("importlib.import_module", "__import__")
    message = f"{use.api} names {broken.shown}, and {teller.reason(lost)}"
    related = teller.related(lost)
    if use.swallowed_line:
        message += f"; the handler at line {use.swallowed_line} swallows the failure"
        related += (Related(broken.path, use.swallowed_line, "the failure is swallowed here"),)
    return Violation(
        path=broken.path,
        span=Span(use.line, use.column, use.end_line, use.end_column),
        message=message,
        anchor=f"{use.api}({broken.shown})",
        symbol=use.symbol,
        cause=_RAISES.get(use.api.partition(".")[0], _RAISES_IN_SETTINGS),
        help=teller.help(lost, broken.path),
        related=related,
        severity=Severity.WARNING if use.swallowed_line else None,
        lazy=bool(use.flags & LAZY),
        raises="ModuleNotFoundError" if imports and use.flags & SURE_TO_RUN and not use.swallowed_line else "",
        data=_data(broken.shown, lost),
    )


def _of_entry_point(broken: BrokenEntryPoint, teller: _Teller, impact: Impact) -> Violation:
    entry, lost = broken.entry, broken.lost
    return Violation(
        path=entry.path,
        span=Span(broken.line, broken.column, broken.line, broken.end_column),
        message=f"The entry point {broken.shown} leads nowhere: {teller.reason(lost)}",
        anchor=f"entry point {broken.shown}",
        cause="What is started here exits at once: it cannot load what it is given.",
        help=teller.help(lost, entry.path),
        related=teller.related(lost),
        impact=impact,
        data=_data(broken.shown, lost),
    )
