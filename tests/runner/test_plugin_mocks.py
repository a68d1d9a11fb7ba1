"""What counts as a mock: what a test or a fixture put in the place of something, not what pytest-mock does to mocks."""

from __future__ import annotations

import os
from unittest import mock

from guard.runner.plugin_trace import _started_patches


def test_what_pytest_mock_does_to_mocks_for_every_test_is_no_mock() -> None:
    patch = mock.patch.object(mock.NonCallableMock, "assert_called_with")
    before = _started_patches()
    patch.start()
    try:
        assert _started_patches() == before
    finally:
        patch.stop()


def test_a_patch_that_was_started_by_hand_is_one() -> None:
    patch = mock.patch.object(os, "getcwd")
    patch.start()
    try:
        assert "os.getcwd" in _started_patches()
    finally:
        patch.stop()
    assert "os.getcwd" not in _started_patches()
