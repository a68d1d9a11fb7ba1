"""Requirements in TOML: pyproject.toml of every common build tool, Pipfile, pixi.toml, hatch.toml."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from guard.checks.requirements import (
    PUBLISHING,
    Include,
    Kind,
    Requirement,
    Stated,
    is_for_developers,
    kind_of_extra,
    names_in,
    normal,
    requirement_of,
)

_VERSION: Final = re.compile(r"^(\^|~)?\s*v?(\d+(?:\.\d+)*)$")


def in_table(name: str, text: str) -> Stated:
    """What a file called `name` states."""
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError):
        return Stated(computed=True, mentioned=names_in(text))
    if name == "Pipfile":
        return Stated(tuple(_in_pipfile(document)), complete=True)
    if name == "pixi.toml":
        return Stated(tuple(_in_pixi(document)))
    if name == "hatch.toml":
        return Stated(tuple(_in_hatch(document)))
    return _in_pyproject(document)


def _in_pyproject(document: Mapping[str, Any]) -> Stated:
    project = _at(document, "project")
    dynamic = set(_texts(_at(project, "dynamic")))
    poetry, pdm, uv = (_at(document, "tool", tool) for tool in ("poetry", "pdm", "uv"))
    requirements: list[Requirement] = [
        *_listed(_at(project, "dependencies"), Kind.RUNTIME),
        *_grouped(_at(project, "optional-dependencies"), extras=True),
        *_grouped(_at(document, "dependency-groups")),
        *_listed(_at(document, "build-system", "requires"), Kind.BUILD),
        *_in_poetry(poetry),
        *(one for group in _values(_at(pdm, "dev-dependencies")) for one in _listed(group, Kind.DEV)),
        *_listed(_at(uv, "dev-dependencies"), Kind.DEV),
        *_listed(_at(document, "tool", "rye", "dev-dependencies"), Kind.DEV),
        *_in_flit(_at(document, "tool", "flit", "metadata")),
        *_in_hatch(_at(document, "tool", "hatch")),
        *_in_pixi(_at(document, "tool", "pixi")),
        *_listed(_at(document, "tool", "cibuildwheel", "test-requires"), Kind.DEV),
        *(one for env in _values(_at(document, "tool", "tox", "env")) for one in _listed(_at(env, "deps"), Kind.DEV)),
        *_listed(_at(document, "tool", "tox", "env_run_base", "deps"), Kind.DEV),
        *(
            one
            for app in _values(_at(document, "tool", "briefcase", "app"))
            for one in _listed(_at(app, "requires"), Kind.RUNTIME)
        ),
    ]
    includes, computed, left_to_setup = _elsewhere(document, dynamic)
    own = {normal(found) for table in (project, poetry) if isinstance(found := _at(table, "name"), str)}
    return Stated(
        tuple(requirements),
        own=frozenset(own),
        includes=tuple(includes),
        computed=computed,
        left_to_setup=left_to_setup,
        complete=isinstance(project, dict) and "dependencies" not in dynamic,
        published=any(
            isinstance(table, dict) and not PUBLISHING.isdisjoint(table)
            for table in (project, poetry, _at(document, "tool", "flit", "metadata"))
        ),
    )


def _elsewhere(document: Mapping[str, Any], dynamic: set[str]) -> tuple[list[Include], bool, bool]:
    """For lists that `[project] dynamic` names: the files that they stand in, whether that cannot be told, and whether
    setup.py and setup.cfg are where to look."""
    includes: list[Include] = []
    setuptools = _at(document, "tool", "setuptools", "dynamic")
    hook = _at(document, "tool", "hatch", "metadata", "hooks", "requirements_txt")
    found = {"dependencies": False, "optional-dependencies": False}
    for path in (*_texts(_at(setuptools, "dependencies", "file")), *_texts(_at(hook, "files"))):
        includes.append(Include(path, Kind.RUNTIME))
        found["dependencies"] = True
    for table in (_at(setuptools, "optional-dependencies"), _at(hook, "optional-dependencies")):
        for name, entry in table.items() if isinstance(table, dict) else ():
            kind = kind_of_extra(name)
            includes += [Include(path, kind) for path in _texts(_at(entry, "file")) or _texts(entry)]
            found["optional-dependencies"] = True
    missing = {name for name in found if name in dynamic and not found[name]}
    if not missing:
        return includes, False, False
    backend = str(_at(document, "build-system", "build-backend") or "setuptools")
    left = backend.startswith(("setuptools", "pbr"))
    return includes, not left, left


def _listed(items: Any, kind: Kind) -> Iterator[Requirement]:
    for item in _texts(items):
        found = requirement_of(item, kind)
        if found is not None:
            yield found


def _grouped(groups: Any, *, extras: bool = False) -> Iterator[Requirement]:
    """Extras and dependency groups, by name."""
    for name, items in _items(groups):
        yield from _listed(items, kind_of_extra(name) if extras else _kind_of_group(name))


def _kind_of_group(name: str) -> Kind:
    return Kind.DEV if is_for_developers(name) else Kind.EXTRA


def _in_poetry(poetry: Any) -> Iterator[Requirement]:
    for name, entry in _items(_at(poetry, "dependencies")):
        if name != "python":
            optional = isinstance(entry, dict) and entry.get("optional") is True
            kind = Kind.EXTRA if optional else Kind.RUNTIME
            yield Requirement(normal(name), kind, _poetry_versions(entry), extras=_extras(entry))
    for name, entry in _items(_at(poetry, "dev-dependencies")):
        yield Requirement(normal(name), Kind.DEV, _poetry_versions(entry), extras=_extras(entry))
    for group, table in _items(_at(poetry, "group")):
        kind = Kind.RUNTIME if group == "main" else _kind_of_group(group)
        for name, entry in _items(_at(table, "dependencies")):
            yield Requirement(normal(name), kind, _poetry_versions(entry), extras=_extras(entry))


def _extras(entry: Any) -> tuple[str, ...]:
    return tuple(normal(extra) for extra in _texts(_at(entry, "extras")))


def _poetry_versions(entry: Any) -> str | None:
    """Poetry's constraint as PEP 440 has it: `^1.2` is `>=1.2,<2`. None where it is of another kind."""
    text = entry.get("version") if isinstance(entry, dict) else entry
    if not isinstance(text, str) or "||" in text or "|" in text:
        return None
    clauses = []
    for clause in filter(None, (part.strip() for part in text.split(","))):
        if clause == "*":
            continue
        if clause[0] in "<>=!" or clause.startswith("~="):
            clauses.append(clause)
            continue
        match = _VERSION.match(clause)
        if match is None:
            return None
        release = [int(part) for part in match[2].split(".")]
        if match[1] is None:
            clauses.append(f"=={match[2]}")
            continue
        # The caret lets everything behind the first part that is not 0 change, the tilde the last part that is given.
        place = next((n for n, part in enumerate(release) if part), len(release) - 1) if match[1] == "^" else 0
        place = place if match[1] == "^" else min(len(release) - 1, 1)
        end = [*release[:place], release[place] + 1]
        clauses += [f">={match[2]}", f"<{'.'.join(map(str, end))}"]
    return ",".join(clauses)


def _in_flit(metadata: Any) -> Iterator[Requirement]:
    yield from _listed(_at(metadata, "requires"), Kind.RUNTIME)
    yield from _grouped(_at(metadata, "requires-extra"), extras=True)


def _in_hatch(hatch: Any) -> Iterator[Requirement]:
    """The environments in which hatch runs tests and tools."""
    for environment in _values(_at(hatch, "envs")):
        for key in ("dependencies", "extra-dependencies"):
            yield from _listed(_at(environment, key), Kind.DEV)


def _in_pixi(pixi: Any) -> Iterator[Requirement]:
    tables = [(pixi, Kind.RUNTIME)]
    for name, feature in _items(_at(pixi, "feature")):
        tables.append((feature, _kind_of_group(name)))
    for table, kind in tables:
        for key in ("dependencies", "pypi-dependencies"):
            for name, _ in _items(_at(table, key)):
                if name not in ("python", "pip"):
                    yield Requirement(normal(name), kind, None)


def _in_pipfile(document: Mapping[str, Any]) -> Iterator[Requirement]:
    for section, packages in document.items():
        if section in ("source", "requires", "scripts", "pipenv"):
            continue
        kind = {"packages": Kind.RUNTIME, "dev-packages": Kind.DEV}.get(section, Kind.EXTRA)
        for name, entry in _items(packages):
            text = entry.get("version") if isinstance(entry, dict) else entry
            versions = "" if text == "*" else text if isinstance(text, str) else None
            yield Requirement(normal(name), kind, versions, extras=_extras(entry))


def _at(table: Any, *keys: str) -> Any:
    for key in keys:
        table = table.get(key) if isinstance(table, dict) else None
    return table


def _items(table: Any) -> Iterable[tuple[str, Any]]:
    return table.items() if isinstance(table, dict) else ()


def _values(table: Any) -> Iterable[Any]:
    return table.values() if isinstance(table, dict) else ()


def _texts(value: Any) -> list[str]:
    """The strings of a list, or one string alone."""
    if isinstance(value, str):
        return [value]
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
