"""A tree of Python services that is the same on every machine, for benchmarks where no real tree is given."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_MODULES: Final = 40
"""Modules in a service; a tree of n files has n / 40 services beside one another."""
_FUNCTIONS: Final = 26
"""Functions in a module: about 400 lines, as in the monorepo that the bars were set on."""


def write_tree(folder: Path, files: int) -> None:
    """Write about `files` Python files, as services with packages, tests and a Dockerfile each, and commit them."""
    for service in range(max(1, files // _MODULES)):
        for path, content in _service(f"service_{service:03}"):
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(content, encoding="utf-8", newline="\n")
    (folder / ".gitattributes").write_text("* text eol=lf\n")
    identity = ("-c", "user.name=bench", "-c", "user.email=bench@example.invalid")
    for command in (("init", "--quiet"), ("add", "--all"), ("commit", "--quiet", "--message", "A tree")):
        subprocess.run(["git", *identity, *command], cwd=folder, check=True)


def _service(name: str) -> Iterator[tuple[str, str]]:
    # Seeded by the name: a service is the same in a small tree and in a large one.
    chance = random.Random(name)
    yield f"{name}/Dockerfile", f'FROM python:3.11-slim\nCOPY . .\nCMD ["uvicorn", "{name}.main:app"]\n'
    yield f"{name}/__init__.py", f'"""{name}."""\n'
    yield f"{name}/main.py", _main(name)
    yield f"{name}/tests/__init__.py", ""
    for number in range(_MODULES - 8):
        yield f"{name}/part_{number:02}.py", _module(name, number, chance)
    for number in range(4):
        yield f"{name}/tests/test_{number}.py", _tests(name, number)


def _main(name: str) -> str:
    imports = "\n".join(f"from {name}.part_{number:02} import Record{number}" for number in range(8))
    return (
        "from fastapi import FastAPI\nfrom starlette.middleware.sessions import SessionMiddleware\n\n"
        f'{imports}\n\napp = FastAPI()\napp.add_middleware(SessionMiddleware, secret_key="x")\n'
        f"RECORDS = [{', '.join(f'Record{number}' for number in range(8))}]\n"
    )


def _module(service: str, number: int, chance: random.Random) -> str:
    others = sorted(chance.sample(range(number), min(number, 4)))
    parts = [
        f'"""Part {number} of {service}."""\n\nfrom __future__ import annotations\n\n',
        "import dataclasses\nimport logging\n\n",
        *(f"from {service}.part_{other:02} import Record{other}, compute_{other}_0\n" for other in others),
        "\nlogger = logging.getLogger(__name__)\n\n\n@dataclasses.dataclass\n",
        f'class Record{number}:\n    """One record."""\n\n    name: str\n    count: int = 0\n    total: float = 0.0\n',
    ]
    for index in range(_FUNCTIONS):
        used = chance.choice(others) if others else number
        call = f"compute_{used}_0(values)" if others else "len(values)"
        parts.append(
            f"\n\ndef compute_{number}_{index}(values: list[int], limit: int = {chance.randrange(1000)}) -> int:\n"
            f'    """Compute step {index} of part {number}."""\n'
            "    total = 0\n"
            "    for position, value in enumerate(values):\n"
            f"        if value > limit and position % {chance.randrange(2, 9)}:\n"
            f"            total += value * {chance.randrange(99)} - position\n"
            "        elif value < 0:\n"
            f'            logger.info("part {number}: %s at %s", value, position)\n'
            "        else:\n"
            f"            total ^= {call} + {chance.randrange(999)}\n"
            f'    record = Record{number}(name=f"step {{total}}", count=len(values))\n'
            "    record.total = total / (record.count or 1)\n"
            "    return int(record.total)\n"
        )
    return "".join(parts)


def _tests(service: str, number: int) -> str:
    return "".join(
        [
            f"from {service}.part_{number:02} import compute_{number}_0, compute_{number}_1\n",
            *(
                f"\n\ndef test_{index}() -> None:\n    assert compute_{number}_{index % 2}([{index}, {number}]) >= 0\n"
                for index in range(_FUNCTIONS)
            ),
        ]
    )
