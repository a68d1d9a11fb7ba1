"""guard's pytest plugin: silent, and of no cost, unless the loop asks for it by `GUARD_LOOP_EVENTS`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Start to watch, where the loop asks for it."""
    if os.environ.get("GUARD_LOOP_EVENTS"):
        from guard.runner.plugin_watch import start

        start(config)
