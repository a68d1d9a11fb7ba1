"""Watching tests from inside of pytest: one event for each, as it happens."""

from __future__ import annotations

import pytest


def start(config: pytest.Config) -> None:
    """Register what watches."""
