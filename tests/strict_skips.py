"""A pytest plugin for CI: a skipped test fails the run, since what was skipped was not checked.

    python -m pytest -p tests.strict_skips

A test that can only run somewhere else says so: a skip whose reason begins with `only on` (`only on Windows`) is
expected.
"""

from __future__ import annotations

from typing import Final

import pytest

EXPECTED: Final = "only on "


class StrictSkips:
    """Collects the skips of a run, of its workers too, and fails the run for those that nobody expects."""

    def __init__(self) -> None:
        self.unexpected: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Remember a test that was skipped."""
        self._see(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Remember a whole file that was skipped."""
        self._see(report)

    def _see(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        if not report.skipped or hasattr(report, "wasxfail"):
            return
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        reason = reason.removeprefix("Skipped: ")
        if not reason.startswith(EXPECTED):
            self.unexpected.append(f"{report.nodeid}: {reason}")

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Name them."""
        for skip in sorted(set(self.unexpected)):
            terminalreporter.write_line(f"UNEXPECTED SKIP {skip}")

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail the run."""
        if self.unexpected and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_configure(config: pytest.Config) -> None:
    """Register the plugin; in a worker of xdist nothing would come of it."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(StrictSkips(), "strict-skips")
