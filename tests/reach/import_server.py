"""Imports modules, or has pytest collect files, each in a process of its own that starts from nothing.

Reads a line of JSON for every question, and answers with one: `{"root": …, "modules": […], "test_files": […]}` gives
the names of those that fail.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import sys
from collections.abc import Callable

import pytest


def fails(act: Callable[[str, str], None], root: str, name: str) -> bool:
    """Whether `act` fails in a copy of this process."""
    child = os.fork()
    if not child:
        code = 1
        # Not even a SystemExit of what is imported may get out of here: the copy would read questions, too.
        with contextlib.suppress(BaseException):
            act(root, name)
            code = 0
        os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0


def importing(root: str, module: str) -> None:
    """Import `module` with `root` in front of everything that can be imported."""
    sys.path.insert(0, root)
    importlib.import_module(module)


def collecting(root: str, path: str) -> None:
    """Have pytest collect one file, as `python -m pytest` in `root` does; raises where it cannot."""
    os.chdir(root)
    sys.path.insert(0, root)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    options = ["--collect-only", "-q", "-p", "no:cacheprovider", "--rootdir", root, "-c", os.devnull]
    assert pytest.main([*options, path]) == 0


def main() -> None:
    """Answer until there are no more questions."""
    sys.dont_write_bytecode = True
    for line in sys.stdin:
        asked = json.loads(line)
        root = asked["root"]
        failed = [name for name in asked["modules"] if fails(importing, root, name)]
        blocked = [path for path in asked["test_files"] if fails(collecting, root, path)]
        print(json.dumps({"modules": failed, "test_files": blocked}), flush=True)


if __name__ == "__main__":
    main()
