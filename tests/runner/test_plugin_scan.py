"""Where the plugin's trace function is left out, nothing that it would have seen is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from guard.runner.record import TestOutcome
from tests.runner.phase_support import ASK, run, service, write

DEAD = "import socket\ndef dead():\n    socket.create_connection(('127.0.0.1', 9), 1)\n"
QUIET = "try:\n        dead()\n    except OSError:\n        pass\n"
FILES = {
    "dead.py": DEAD,
    "package/__init__.py": "",
    "package/deep.py": f"from dead import dead\ndef quiet():\n    {QUIET}",
    "package/way.py": "from . import deep\ndef by_way():\n    deep.quiet()\n",
    "late.py": f"from dead import dead\ndef quiet_late():\n    {QUIET}",
    "manager.py": "class Client:\n    def __enter__(self): pass\n    def __exit__(self, *_): return True\n",
    "test_plain.py": "import sys\nfrom dead import dead\ndef test_plain():\n    ask(); assert sys.gettrace() is None\n",
    "test_way.py": "from package.way import by_way\ndef test_way():\n    ask(); by_way()\n",
    "test_late.py": "def test_late():\n    ask()\n    from late import quiet_late\n    quiet_late()\n",
    "test_manager.py": "from manager import Client\nfrom dead import dead\ndef test_manager():\n    ask()\n"
    "    with Client():\n        dead()\n",
    "test_finally.py": "from dead import dead\ndef test_finally():\n    ask()\n    try:\n        dead()\n"
    "    finally:\n        return\n",
    "test_text.py": "import importlib\ndef test_text():\n    ask(); importlib.import_module('late').quiet_late()\n",
    "test_unittest.py": "import unittest\nfrom dead import dead\nclass TestIt(unittest.TestCase):\n"
    "    def test_case(self):\n        ask()\n        try:\n            dead()\n"
    "        except OSError:\n            pass\n",
}


def test_whatever_the_code_of_a_test_imports_is_looked_at(tmp_path: Path) -> None:
    write(tmp_path, {name: ASK + text if name.startswith("test_") else text for name, text in FILES.items()})
    names = tuple(name for name in FILES if name.startswith("test_"))
    with service() as url:
        _, tests = run(tmp_path, url, tests=names)
    assert tests.pop("test_plain").outcome is TestOutcome.PASSED
    assert len(tests) == len(names) - 1
    for name, test in tests.items():
        assert test.outcome is TestOutcome.UNPROVEN, name
        assert test.swallowed[0].startswith("ConnectionRefusedError: "), name


@pytest.mark.parametrize("how", ["argument", "value"])
def test_a_fixture_of_a_conftest_is_looked_at(tmp_path: Path, how: str) -> None:
    text = "def test_a(quiet):\n    ask()\n"
    if how == "value":
        text = "def test_a(request):\n    ask(); request.getfixturevalue('quiet')\n"
    conftest = f"import pytest\nfrom dead import dead\n@pytest.fixture\ndef quiet():\n    {QUIET}"
    write(tmp_path, {"dead.py": DEAD, "conftest.py": conftest, "test_it.py": ASK + text})
    with service() as url:
        _, tests = run(tmp_path, url)
    assert tests["test_a"].outcome is TestOutcome.UNPROVEN
    assert "conftest.py" in tests["test_a"].swallowed[0] or "dead.py" in tests["test_a"].swallowed[0]


def test_each_of_two_conftests_of_one_name_is_looked_at(tmp_path: Path) -> None:
    outer = f"import pytest\nfrom dead import dead\n@pytest.fixture\ndef quiet():\n    {QUIET}"
    files = {"dead.py": DEAD, "conftest.py": outer, "inner/conftest.py": "import os\n"}
    write(tmp_path, {**files, "inner/test_it.py": ASK + "def test_a(quiet):\n    ask()\n"})
    with service() as url:
        _, tests = run(tmp_path, url, tests=("inner/test_it.py",))
    assert tests["test_a"].outcome is TestOutcome.UNPROVEN
