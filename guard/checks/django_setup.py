"""What Django imports when it is set up: the settings, the applications that they install, and the models of these.

Who needs a model needs Django set up before. So it is by the server, by `manage.py test` and by pytest-django, which
sets Django up before it looks for tests: the first one to import what a model needs is Django, and no test.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from guard.checks.module_facts import DEAD, LAZY, TYPING, ModuleFacts
from guard.checks.modules import FAMILY as MODULES
from guard.checks.modules import Modules
from guard.checks.roots import parent_of
from guard.checks.strings import FAMILY as STRINGS
from guard.checks.strings_facts import StringsFacts

if TYPE_CHECKING:
    from guard.program import Program

_APPLICATIONS: Final = "INSTALLED_APPS"


def imported_by_setup(program: Program) -> tuple[str, ...]:
    """The files that Django may execute, one after the other and in whatever order, when it is set up with settings of
    the tree; none where the tree has no application of Django's. Sorted."""
    modules = program.linked(MODULES)
    found: set[str] = set()
    for path, facts in program.facts(STRINGS).items():
        installed = [use.text for use in facts.uses if use.api == _APPLICATIONS]
        if not installed or path not in modules.facts:
            continue
        found.add(path)
        for text in installed:
            found.update(_executed_for(path, text, modules))
    found.update(_by_name(modules))
    # What `AppConfig.ready` imports, and whatever else an application does in functions, may come too.
    for path in sorted(found):
        for statement in modules.facts[path].imports:
            if statement.flags & LAZY and not statement.flags & (TYPING | DEAD):
                for module in statement.modules:
                    found.update(modules.executed_by(path, statement, module))
    return tuple(sorted(found.intersection(modules.facts)))


def _executed_for(path: str, text: str, modules: Modules) -> Iterator[str]:
    """What an entry of `INSTALLED_APPS` has executed: a package, or a class in its module `apps`."""
    for name in (text, text.rpartition(".")[0]):
        targets = modules.resolve(path, 0, name).targets if name else ()
        for target in targets:
            yield from modules.executed(target)
            yield from _of_application(parent_of(target.path) if target.kind != "namespace" else target.path, modules)
        if targets:
            return


def _of_application(folder: str, modules: Modules) -> Iterator[str]:
    """The modules of an application that Django looks for by their names."""
    for name in ("apps.py", "models.py", "models/__init__.py"):
        path = f"{folder}/{name}" if folder else name
        if path in modules.facts:
            yield path


def _by_name(modules: Modules) -> Iterator[str]:
    """Modules that are named as those of an application are, and import Django: settings that cannot be read, or that
    stand in another tree, may install it."""
    for path, facts in modules.facts.items():
        if _looks_installed(path, facts):
            yield path
            init = f"{parent_of(path)}/__init__.py"
            if init in modules.facts:
                yield init


def _looks_installed(path: str, facts: ModuleFacts) -> bool:
    folder, _, name = path.rpartition("/")
    if name not in ("apps.py", "models.py") and folder.rpartition("/")[2] != "models":
        return False
    return any(
        module == "django" or module.startswith("django.")
        for statement in facts.imports
        if statement.level <= 0 and not statement.flags & (LAZY | TYPING)
        for module in statement.modules
    )


def part_in_setup(path: str, facts: ModuleFacts | None, strings: StringsFacts | None) -> tuple[bool, tuple[str, ...]]:
    """What of a file makes other files, or itself, such that Django may execute them when it is set up."""
    uses = strings.uses if strings is not None else ()
    installed = tuple(use.text for use in uses if use.api == _APPLICATIONS)
    return facts is not None and _looks_installed(path, facts), installed
