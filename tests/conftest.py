"""What every test may rely on: no configuration, cache or colour of the machine that runs it."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def _environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """For the whole session, since fixtures of a module make repositories before those of its first test run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
        patch.setenv("GIT_CONFIG_SYSTEM", "/dev/null")
        patch.setenv("GUARD_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("HYPOTHESIS_STORAGE_DIRECTORY", str(tmp_path_factory.mktemp("hypothesis")))
        for name in ("NO_COLOR", "FORCE_COLOR", "CI", "VIRTUAL_ENV", "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
            patch.delenv(name, raising=False)
        # Nor what pre-commit tells its hooks, where one of them runs the tests.
        for name in [name for name in os.environ if name.startswith("PRE_COMMIT")]:
            patch.delenv(name)
        # What this run of pytest was given is not for those that tests start.
        patch.delenv("PYTEST_ADDOPTS", raising=False)
        for name in ("GIT_AUTHOR", "GIT_COMMITTER"):
            patch.setenv(f"{name}_NAME", "A Tester")
            patch.setenv(f"{name}_EMAIL", "tester@example.invalid")
            patch.setenv(f"{name}_DATE", "2025-01-01T00:00:00Z")
        # The packages that the tests run with are not those of what they check.
        patch.setattr("guard.environment.running_packages", lambda _version: None)
        yield


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No test sees what another one has cached."""
    monkeypatch.setenv("GUARD_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
