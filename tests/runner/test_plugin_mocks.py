"""What counts as a mock: what a test or a fixture put in the place of something, not what pytest-mock does to mocks."""

from __future__ import annotations

import os
from unittest import mock

from guard.runner.plugin_trace import Patches


def test_what_pytest_mock_does_to_mocks_for_every_test_is_no_mock() -> None:
    patches = Patches()
    before = patches.started()
    patch = mock.patch.object(mock.NonCallableMock, "assert_called_with")
    patch.start()
    try:
        assert patches.started() == before
        assert patches.started() == before, "also when it is known"
    finally:
        patch.stop()


def test_a_patch_that_was_started_by_hand_is_one() -> None:
    patches = Patches()
    own = mock.patch.object(mock.NonCallableMock, "assert_called_with")
    patch = mock.patch.object(os, "getcwd")
    own.start()
    assert "os.getcwd" not in patches.started()
    patch.start()
    try:
        assert "os.getcwd" in patches.started()
        own.stop()
        assert "os.getcwd" in patches.started(), "though there are as many as before"
    finally:
        patch.stop()
    assert "os.getcwd" not in patches.started()
