"""Django projects: the settings modules of a tree, and the middleware that each one installs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Final

import msgspec

from guard.checks import middleware, modules
from guard.checks.django_collect import collector, see_text
from guard.checks.django_facts import SettingsFacts
from guard.checks.django_profile import DjangoProfiles
from guard.checks.django_settings import Evaluation, Settings
from guard.checks.middleware_profile import Profile
from guard.checks.middleware_sources import Sources
from guard.checks.middleware_stack import Layer, Place, Stack, layers, module_name, reverse
from guard.checks.modules import External
from guard.families import Family

if TYPE_CHECKING:
    from guard.program import Program

__all__ = ["FAMILY", "Project", "Projects"]

KIND: Final = External("django", "settings")
_NOT_DEPLOYING: Final = (
    *(".md", ".rst", ".txt", "pytest.ini", "tox.ini", "setup.cfg", "pyproject.toml", "conftest.py", "noxfile.py"),
    *(".gitlab-ci.yml", ".travis.yml", "azure-pipelines.yml", "appveyor.yml"),
)
"""Files that name settings for tests, or only speak of them."""
_NOT_DEPLOYED: Final = frozenset({".github", ".circleci", ".devcontainer", ".vscode", "test", "tests", "docs", "doc"})
"""Folders of such files."""
_TELLING: Final = frozenset({"INSTALLED_APPS", "ROOT_URLCONF", "WSGI_APPLICATION"})
"""Variables that only Django's settings have."""
_SETTINGS_WORDS: Final = ("settings", "config", "conf")


class Project(msgspec.Struct, frozen=True):
    """One settings module that may be run with."""

    settings: Settings
    stack: Stack
    name: str
    """The settings module as it is named; where nothing names it, by its path."""
    named: tuple[Place, ...]
    """Where a deployment, or a file that starts it, names this module."""
    certain: bool
    """False where others are named and this one is not."""


class Projects:
    """The settings modules of a whole program."""

    def __init__(self, program: Program) -> None:
        self._facts = program.facts(FAMILY)
        self._modules = program.linked(modules.FAMILY)
        sources = Sources(program.facts(middleware.FAMILY), self._modules) if self._has_settings else None
        self._sources = sources
        self._profiles = DjangoProfiles(sources) if sources is not None else None

    @property
    def _has_settings(self) -> bool:
        return any(facts.ops for facts in self._facts.values())

    @cached_property
    def all(self) -> tuple[Project, ...]:
        """Every settings module that no other one builds on, or that something names, in the order of the files."""
        if self._sources is None:
            return ()
        evaluation = Evaluation(self._facts, self._modules, self._sources)
        candidates = {path for path, facts in self._facts.items() if facts.ops}
        candidates |= set(self._importers(candidates))
        found: dict[str, Settings] = {}
        for path in sorted(candidates):
            if "." in path.rpartition("/")[2].removesuffix(".py"):
                continue  # `production.example.py` is no module
            settings = evaluation.settings(path)
            if settings is not None:
                found[path] = settings
        named = self._named(found)
        bases = {base for settings in found.values() for base in settings.bases}
        projects = []
        for path, settings in found.items():
            if (path in bases and path not in named) or not self._is_django(settings):
                continue
            stack = Stack(
                kind=KIND,
                created=(Place(path, (settings.line, 1, settings.line, 1), ""),),
                nodes=reverse(settings.middleware),
                wraps=(),
            )
            places = tuple(named.get(path, {}))
            name = next(iter(named[path].values())) if places else module_name(path)
            projects.append(Project(settings, stack, name, places, certain=bool(places) or not named))
        return tuple(projects)

    def _is_django(self, settings: Settings) -> bool:
        if any(layer.written.startswith("django.") for layer in layers(settings.middleware)):
            return True
        files = [self._modules.facts.get(path) for path in (settings.path, *settings.bases)]
        return any(facts is not None and not _TELLING.isdisjoint(facts.names) for facts in files)

    def profile(self, layer: Layer) -> Profile:
        """What a layer reads and provides."""
        assert self._profiles is not None
        return self._profiles.of(layer)

    def is_a(self, layer: Layer, name: str) -> bool | None:
        """Whether a layer is of one of Django's classes, or extends it; None where that is not known."""
        assert self._profiles is not None
        return self._profiles.is_a(layer, name)

    def binds(self, project: Project, name: str) -> bool:
        """Whether the settings bind a variable anywhere, or may."""
        settings = project.settings
        if name in settings.variables:
            return True
        files = [self._modules.facts.get(path) for path in (settings.path, *settings.bases)]
        return any(facts is None or name in facts.names for facts in files)

    def _importers(self, candidates: set[str]) -> Iterator[str]:
        """Modules with nothing of their own about middleware that take everything from one that has."""
        known = set(candidates)
        growing = True
        stars = {path: facts.stars for path, facts in self._modules.facts.items() if facts.stars}
        while growing:
            growing = False
            for path, origins in stars.items():
                if path in known or not any(word in path.lower() for word in _SETTINGS_WORDS):
                    continue
                for origin in origins:
                    targets = self._modules.resolve(path, origin.level, origin.module).targets
                    if len(targets) == 1 and targets[0].path in known:
                        known.add(path)
                        growing = True
                        yield path

    def _named(self, found: Mapping[str, Settings]) -> dict[str, dict[Place, str]]:
        """Where each settings module is named, and how, the test runner's configuration left out."""
        named: dict[str, dict[Place, str]] = {}
        for path, facts in self._facts.items():
            if path.endswith(_NOT_DEPLOYING) or not _NOT_DEPLOYED.isdisjoint(path.split("/")):
                continue
            for naming in facts.naming:
                tail = f"{naming.module.replace('.', '/')}"
                for target in found:
                    module = target.removesuffix(".py").removesuffix("/__init__")
                    if module == tail or module.endswith(f"/{tail}"):
                        place = Place(path, (naming.line, 1, naming.line, 1), "")
                        named.setdefault(target, {})[place] = naming.module
        return named


FAMILY: Final[Family[SettingsFacts, Projects]] = Family(
    "django", 2, SettingsFacts, Projects, see_python=collector, see_bytes=see_text, letters=("MID",)
)
"""Settings of Django, statement by statement."""
