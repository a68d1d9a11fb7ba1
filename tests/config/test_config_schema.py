"""The published JSON Schema says what the loader does."""

from __future__ import annotations

import json
import tomllib
from importlib.resources import files

import jsonschema
import pytest
from config_support import RULES, MemoryTree

from guard.config import ConfigError, load
from guard.configuration.schema import config_schema, config_schema_text
from guard.configuration.settings import Settings

GOOD = [
    "",
    "extend = 'base.toml'",
    "select = ['ALL']\nignore = []",
    "exclude = ['a/', '!a/b']\ntests = ['t/']\ntooling = []\nroots = ['src']\nentry-points = ['a.b:c']",
    "target-python = '3.11'",
    "target-python = '3.9'",
    "max-file-size = 1",
    "max-file-size = '5MB'",
    "max-file-size = '5.5 KiB'",
    "[per-file-ignores]\n'tests/**' = ['IMP', 'missing-name']\n'x' = []",
    "[severity]\nIMP = 'off'\nIMP001 = 'error'\nmissing-name = 'info'\nEOL = 'warning'",
    "[middleware]\norder = ['A', 'B*']\nrequired = ['A']",
    "[middleware]",
    "[report]\nweights = { ssot = 40, text = 0 }\nareas = { tests = 4 }\nfail-under = 80.5",
    "[report]\nfail-under = 80",
    "[loop]\ngoal = 'all'\ncycles = 3\non_failure = ['python']\n[loop.target]\nenv = { A = '${A}', B = '' }",
    "[[loop.health]]\nkind = 'http'\npath = '/health'\njson = { status = 'healthy', n = [1] }\nrevision = 'json:rev'",
    "[[loop.phases]]\nname = 'a'\ntests = ['tests']\ncriteria = ['pass_rate == 1.0']\ntest_timeout_s = 5\nreal = false",
]
BAD = [
    "[loop]\ncycles = 0",
    "[loop]\nphase = []",
    "[loop]\non_failure = []",
    "[loop]\non_failure = 'python repair.py'",
    "[[loop.phases]]\nname = 'a'",
    "[[loop.phases]]\ntests = ['a']",
    "[[loop.phases]]\nname = 'a'\ntests = []",
    "[[loop.phases]]\nname = 'a'\ntests = ['a']\ntest-timeout-s = 5",
    "[[loop.phases]]\nname = 'a'\ntests = ['a']\npriority = 'P4'",
    "[[loop.health]]\nrevision = 'body'",
    "[[loop.health]]\ntimeout_s = 0",
    "[loop.deploy]\nkind = 'ftp'",
    "[loop.target]\nenv = { A = 1 }",
    "extend = ''",
    "extend = ['base.toml']",
    "selct = ['IMP']",
    "select = []",
    "select = 'IMP'",
    "select = ['']",
    "select = [1]",
    "ignore = [['IMP']]",
    "exclude = ['']",
    "roots = {}",
    "entry-points = ['']",
    "target-python = 3.11",
    "target-python = '3'",
    "target-python = '3.11.2'",
    "target-python = ''",
    "max-file-size = 0",
    "max-file-size = 1.5",
    "max-file-size = 9999999999999999999",
    "max-file-size = true",
    "max-file-size = '5 parsecs'",
    "max-file-size = ''",
    "per-file-ignores = []",
    "[per-file-ignores]\n'' = ['IMP']",
    "[per-file-ignores]\n'x' = 'IMP'",
    "[per-file-ignores]\n'x' = [1]",
    "[severity]\nIMP = 'fatal'",
    "[severity]\nIMP = 1",
    "[severity]\n'' = 'off'",
    "middleware = []",
    "[report]\nweights = { speed = 1 }",
    "[report]\nweights = { ssot = -1 }",
    "[report]\nweights = { ssot = 1.5 }",
    "[report]\nareas = { docs = 1 }",
    "[report]\nfail-under = 101",
    "[report]\nfail-under = 'A'",
    "[report]\nscore = 1",
    "[middleware]\nordr = []",
    "[middleware]\norder = ['']",
    "[middleware]\nrequired = 'A'",
    "sources = ['x']",
]


def test_the_published_schema_is_up_to_date() -> None:
    published = files("guard").joinpath("schemas", "config.schema.json").read_text(encoding="utf-8")
    assert published == config_schema_text(), "run python -m guard.configuration.schema"


def test_the_schema_is_one_and_describes_every_setting() -> None:
    schema = config_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    assert list(schema["properties"]) == [name.replace("_", "-") for name in Settings.__struct_fields__]
    for table in (schema, *schema["$defs"].values()):
        assert all(setting["description"].endswith(".") for setting in table["properties"].values())
    for name, setting in schema["properties"].items():
        if "default" in setting:
            jsonschema.Draft202012Validator({**setting, "$defs": schema["$defs"]}).validate(setting["default"])
        else:
            assert name in ("extend", "baseline", "environment", "target-python")


def accepts(toml: str) -> bool:
    try:
        load(MemoryTree({"guard.toml": toml, "base.toml": ""}), rules=RULES)
    except ConfigError:
        return False
    return True


@pytest.mark.parametrize("toml", [*GOOD, *BAD])
def test_loader_and_schema_agree(toml: str) -> None:
    validator = jsonschema.Draft202012Validator(config_schema())
    table = json.loads(json.dumps(tomllib.loads(toml)))
    assert (validator.is_valid(table), accepts(toml)) == ((True, True) if toml in GOOD else (False, False))
