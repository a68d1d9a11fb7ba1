"""Imports modules, or has pytest collect files, each as if in a process of its own that starts from nothing.

Reads a line of JSON for every question, and answers with one: `{"root": …, "modules": […], "test_files": […]}` gives
the names of those that fail. Every question has a copy of this process to itself, every test file one of its own.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import sys
from collections.abc import Callable, Sequence
from typing import Final

WITHOUT: Final = "cacheprovider debugging doctest faulthandler junitxml logging pastebin stepwise threadexception"
"""Plugins of pytest's own that have no say in what can be collected, and take time to load."""


def in_a_copy(act: Callable[..., Sequence[str]], *given: object) -> list[str]:
    """What `act` of `given` gives in a copy of this process."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        # Not even a SystemExit of what is imported may get out of here: the copy would read questions, too.
        with contextlib.suppress(BaseException):
            os.write(writing, json.dumps(act(*given)).encode())
        os._exit(0)
    os.close(writing)
    with open(reading, encoding="utf-8") as answer:
        said: list[str] = json.load(answer)
    os.waitpid(child, 0)
    return said


def not_importable(root: str, modules: Sequence[str]) -> list[str]:
    """Those of `modules` that cannot be imported with `root` in front of everything that can be.

    After each, everything that was imported from `root` is forgotten. What these modules import from elsewhere is
    imported here, and they change nothing of it.
    """
    sys.path.insert(0, root)
    before = dict(sys.modules)
    failed = []
    for module in modules:
        try:
            importlib.import_module(module)
        except BaseException:
            failed.append(module)
        for name in sys.modules.keys() - before.keys():
            del sys.modules[name]
    assert sys.modules == before
    return failed


def not_collected(root: str, path: str) -> list[str]:
    """`path`, where pytest in `root` cannot collect it as `python -m pytest` does; else nothing."""
    import pytest

    os.chdir(root)
    sys.path.insert(0, root)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    without = [f"-pno:{name}" for name in WITHOUT.split()]
    options = ["--collect-only", "-q", "--rootdir", root, "-c", os.devnull, *without]
    try:
        return [path] if pytest.main([*options, path]) else []
    except BaseException:
        return [path]


def get_pytest_ready() -> None:
    """Import what every run of pytest imports, so that the copies have it."""
    from _pytest.config import default_plugins

    for plugin in default_plugins:
        importlib.import_module(f"_pytest.{plugin}")


def main() -> None:
    """Answer until there are no more questions."""
    sys.dont_write_bytecode = True
    for line in sys.stdin:
        asked = json.loads(line)
        root, test_files = asked["root"], asked["test_files"]
        if test_files and "pytest" not in sys.modules:
            get_pytest_ready()
        gc.freeze()
        failed = in_a_copy(not_importable, root, asked["modules"])
        blocked = [name for path in test_files for name in in_a_copy(not_collected, root, path)]
        print(json.dumps({"modules": failed, "test_files": blocked}), flush=True)


if __name__ == "__main__":
    main()
