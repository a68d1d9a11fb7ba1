"""Which distributions a module can come from, by what is known of published packages and by names that are alike."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, cached_property
from pathlib import Path
from typing import Final

from guard.checks.requirements import normal

_FILE: Final = "import_names.txt"
_SHORTEST: Final = 3
"""Characters. A shorter name is found in too many others to say anything."""
_STUBS: Final = ("types-", "stubs-")
_PLUGINS: Final = (
    "pytest-",
    "flake8-",
    "sphinx-",
    "sphinxcontrib-",
    "mkdocs-",
    "pylint-",
    "mypy-",
    "nvidia-",
    "hatch-",
)
"""Prefixes of distributions that are plug-ins or stubs: their own modules are named like themselves."""


class Known:
    """The facts of import_names.txt."""

    def __init__(self, text: str) -> None:
        self.modules: dict[str, tuple[str, ...]] = {}
        """Dotted modules by distribution."""
        self._brings: dict[str, set[str]] = {}
        self.outside: set[str] = set()
        """Top-level modules that pip does not install."""
        section = ""
        for line in text.splitlines():
            if not line or line.startswith("#"):
                continue
            if line.startswith("["):
                section = line.strip("[] ")
            elif section == "names":
                names, _, modules = line.partition("=")
                for name in names.split():
                    self.modules[name] = (*self.modules.get(name, ()), *modules.split())
            elif section == "brings":
                names, _, brought = line.partition(">")
                for name in names.split():
                    self._brings.setdefault(name, set()).update(brought.split())
            elif section == "outside":
                self.outside.update(line.split())
            elif section == "same":
                for name in line.split():
                    self.modules.setdefault(name, (name.replace("-", "_"),))
            else:
                for name in line.split():
                    self.modules.setdefault(name, ())
        for name in self._brings:
            self.modules.setdefault(name, (name.replace("-", "_"),))

    @cached_property
    def providers(self) -> Mapping[str, tuple[str, ...]]:
        """Distributions by dotted module."""
        found: dict[str, list[str]] = {}
        for name, modules in self.modules.items():
            for module in modules:
                found.setdefault(module, []).append(name)
        return {module: tuple(names) for module, names in found.items()}

    @cached_property
    def namespaces(self) -> frozenset[str]:
        """Every dotted name that leads to a known module without being one: `google`, `google.cloud`."""
        found: set[str] = set()
        for module in self.providers:
            parts = module.split(".")
            found.update(".".join(parts[:end]) for end in range(1, len(parts)))
        return frozenset(found - self.providers.keys())

    def providers_of(self, module: str) -> tuple[str, ...]:
        """The known distributions that have a dotted module, or the nearest one above it."""
        while module:
            found = self.providers.get(module)
            if found:
                return found
            module = module.rpartition(".")[0]
        return ()

    def with_brought(self, names: frozenset[str]) -> frozenset[str]:
        """The distributions, and all that is known to be installed with them."""
        found = set(names)
        waiting = list(names)
        while waiting:
            for brought in self._brings.get(waiting.pop(), ()):
                if brought not in found:
                    found.add(brought)
                    waiting.append(brought)
        return frozenset(found)


@cache
def known() -> Known:
    """What is known of published packages."""
    return Known(Path(__file__).with_name(_FILE).read_text(encoding="utf-8"))


def could_provide(name: str, module: str) -> bool:
    """Whether a distribution, by its name alone, could have a dotted module.

    That is so where one name holds the other, whatever their separators: `djangorestframework` has `rest_framework`,
    `attrs` has `attr`. Below a namespace that many distributions share, the part below it must be alike.
    """
    if name.startswith(_STUBS) or name.endswith("-stubs"):
        return False
    parts = module.split(".")
    end = 1
    while end < len(parts) and is_shared(".".join(parts[:end])):
        end += 1
    squeezed = name.replace("-", "")
    if _alike(squeezed, "".join(parts[:end])):
        return True
    return end > 1 and normal(parts[0]) in name and _alike(squeezed, parts[end - 1])


def _alike(squeezed: str, module: str) -> bool:
    wanted = normal(module).replace("-", "")
    shorter, longer = sorted((squeezed, wanted), key=len)
    return shorter == longer or (len(shorter) >= _SHORTEST and shorter in longer)


def is_shared(module: str) -> bool:
    """Whether distributions of several projects have modules below this dotted name."""
    return module in known().namespaces


def explains_itself(name: str) -> bool:
    """Whether it is known what modules a distribution has, so that it is not the source of an unknown one."""
    return name in known().modules or name.startswith((*_STUBS, *_PLUGINS)) or name.endswith("-stubs")
