"""For child processes: the modules of a folder, imported in every environment that their code asks for."""

from __future__ import annotations

import contextlib
import importlib
import io
import itertools
import os
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType


def each_module(folder: Path, of: Callable[[ModuleType], Iterable[Iterable[str]]]) -> list[list[str]]:
    """What `of` gives of the modules of a folder, each one once. Every module is imported by itself, once for each
    combination of the environment variables that the folder's code asks for."""
    asked = sorted(
        {name for path in folder.rglob("*.py") for name in re.findall(r'environ\.get\("(\w+)"', path.read_text())}
    )
    found: set[tuple[str, ...]] = set()
    sys.path.insert(0, str(folder))
    for combination in itertools.product((None, "1"), repeat=len(asked)):
        values = {name: value for name, value in zip(asked, combination, strict=True) if value}
        for name in asked:
            os.environ.pop(name, None)
        os.environ.update(values)
        for path in sorted(folder.glob("*.py")):
            before = set(sys.modules)
            with contextlib.redirect_stdout(io.StringIO()):
                found.update(map(tuple, of(importlib.import_module(path.stem))))
            for name in set(sys.modules) - before:
                if str(folder) in str(getattr(sys.modules[name], "__file__", "")):
                    del sys.modules[name]
            importlib.invalidate_caches()
    sys.path.remove(str(folder))
    return [list(one) for one in sorted(found)]
