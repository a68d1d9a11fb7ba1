"""Names that a host gives to what it loads: what guard expects of a plugin, beside what Python does with it."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from syntax_support import facts_of

_LOADED = """
import importlib.util
spec = importlib.util.spec_from_file_location("plugin", "plugin.py")
plugin = importlib.util.module_from_spec(spec)
"""
_EXECUTED = "spec.loader.exec_module(plugin)\n"
_HOSTS = {
    "before": f"{_LOADED}plugin.given = 1\n{_EXECUTED}",
    "behind": "import importlib, sys\nname = 'plugin'\nplugin = importlib.import_module(name)\nplugin.given = 1\n",
    "setattr": f"{_LOADED}setattr(plugin, 'given', 1)\n{_EXECUTED}",
    "names": f"{_LOADED}for name in ('given', 'more'):\n    setattr(plugin, name, 1)\n{_EXECUTED}",
    "dict": f"{_LOADED}plugin.__dict__['given'] = 1\n{_EXECUTED}",
    "update": f"{_LOADED}vars(plugin).update(given=1)\n{_EXECUTED}",
    "handed": f"{_LOADED}def give(module, value):\n    module.given = value\ngive(plugin, 1)\n{_EXECUTED}",
    "run_path": "import runpy\nfrom types import SimpleNamespace\n"
    "plugin = SimpleNamespace(**runpy.run_path('plugin.py', init_globals={'given': 1}))\n",
    "exec": "from types import SimpleNamespace\nnames = {'given': 1}\n"
    "exec(open('plugin.py').read(), names)\nplugin = SimpleNamespace(**names)\n",
    "nothing": f"{_LOADED}{_EXECUTED}",
    "other": f"{_LOADED}{_EXECUTED}plugin.other = 1\n",
}
_PLUGINS = {"executed": "x = given\ndef run(): pass\n", "called": "def run(): return given\n"}


@pytest.mark.parametrize("plugin", sorted(_PLUGINS))
@pytest.mark.parametrize("host", sorted(_HOSTS))
def test_a_plugin_has_what_its_host_gives_it(host: str, plugin: str, tmp_path: Path) -> None:
    (tmp_path / "plugin.py").write_text(_PLUGINS[plugin])
    ran = subprocess.run(
        [sys.executable, "-c", f"{_HOSTS[host]}\nplugin.run()\n"], cwd=tmp_path, capture_output=True, text=True
    )
    works = ran.returncode == 0
    assert works or "NameError" in ran.stderr, ran.stderr
    facts, of_plugin = facts_of([_HOSTS[host].encode(), _PLUGINS[plugin].encode()])
    (undefined,) = of_plugin.undefined
    known = "given" in facts.into_new_modules or (undefined.lazy and "given" in facts.into_modules)
    assert known == works


def test_that_many_loads_take_no_long() -> None:
    lines = [f"exec(code{number}, names)\nsetattr(module, name, {number})" for number in range(5000)]
    loops = [f"for name in NAMES{number}: pass" for number in range(2000)]
    code = "\n".join(["def f(module: ModuleType, code: str, names: dict):", *(f"    {line}" for line in loops)])
    code += "\n" + "\n".join(f"    {part}" for line in lines for part in line.split("\n")) + "\n"
    started = time.process_time()
    facts_of([code.encode()])
    assert time.process_time() - started < 5
