"""`guard show imports`, on a small service; `snapshots/imports.txt` holds the page as it is printed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.engine.support import git, inside, repository

SNAPSHOT = Path(__file__).parent / "snapshots" / "imports.txt"

FILES = {
    "Dockerfile": b'FROM python:3.11-slim\nCMD ["uvicorn", "shop.main:app"]\n',
    "Procfile": b"work: celery -A shop.worker worker\nnone: python elsewhere.py\n",
    "pyproject.toml": b"[project]\nname = 'shop'\n",
    "elsewhere.py": b"",
    "shop/__init__.py": b"",
    "shop/main.py": b"import shop.views\n",
    "shop/views.py": b"import json\nfrom shop.models import Order, Customer as Buyer\nfrom shop.models import money\n",
    "shop/worker.py": b"def work():\n    from shop.models import Order\n    return Order\n",
    "shop/models/__init__.py": b"from shop.models.order import *\nfrom .order import Customer\nfrom . import money\n",
    "shop/models/order.py": b"""\
import json
from typing import TYPE_CHECKING

import attrs

from shop import settings
from shop.models.money import euro

if TYPE_CHECKING:
    from shop.views import view


class Order: ...


class Customer: ...


def total(): return euro


def _inner(): ...
""",
    "shop/models/money.py": b"import shop.models.order\neuro = 1\n",
    "shop/settings.py": b"try:\n    from shop.local import DEBUG\nexcept ImportError:\n    DEBUG = False\n",
    "shop/local.py": b"DEBUG = True\n",
    "scripts/report.py": b"if __name__ == '__main__':\n    from shop.models.order import total as sum_up\n",
    "tests/test_order.py": b"from shop.models.order import Order, gone\nimport shop.models.order as module\n",
    "one/conf.py": b"",
    "two/conf.py": b"",
    "one/setup.py": b"",
    "two/setup.py": b"",
}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return repository(tmp_path_factory.mktemp("service"), FILES)


def test_the_page(service: Path) -> None:
    run = inside("show", "imports", "shop.models.order", cwd=service)
    assert (run.code, run.err) == (0, "")
    assert run.out == SNAPSHOT.read_text(encoding="utf-8")


def test_json_says_the_same(service: Path) -> None:
    run = inside("show", "imports", "shop/models/order.py", "--output", "json", cwd=service)
    shown = json.loads(run.out)["module"]
    assert (shown["path"], shown["name"], shown["impact"]) == ("shop/models/order.py", "shop.models.order", "startup")
    assert [(use["path"], use["line"], use["how"]) for use in shown["imported_by"]] == [
        ("shop/models/__init__.py", 1, "module"),
        ("shop/models/__init__.py", 2, "module"),
        ("shop/models/money.py", 1, "module"),
        ("tests/test_order.py", 1, "module"),
        ("tests/test_order.py", 2, "module"),
        ("scripts/report.py", 2, "main"),
    ]
    taken = {one["name"]: (one["kind"], one["users"], one["through"]) for one in shown["taken"]}
    through = "shop/models/__init__.py"
    assert taken["Order"] == ("class", ["tests/test_order.py"], {through: ["shop/views.py", "shop/worker.py"]})
    assert taken["Customer"] == ("class", [through], {through: ["shop/views.py"]})
    assert taken["gone"] == ("missing", ["tests/test_order.py"], {})
    assert shown["not_taken"] == ["_inner"]
    assert shown["handed_on"] == [{"path": through, "line": 1, "names": ["Customer", "Order"], "users": 2}]
    assert [(chain["starts"], chain["lazy"]) for chain in shown["chains"]] == [
        ("shop.main", False),
        ("shop.worker", True),
    ]
    assert [(step["path"], step["line"]) for step in shown["chains"][0]["steps"]] == [
        ("shop/main.py", 1),
        ("shop/views.py", 2),
        ("shop/models/__init__.py", 1),
        ("shop/models/order.py", 0),
    ]
    assert [(step["path"], step["line"]) for step in shown["circle"]] == [
        ("shop/models/order.py", 7),
        ("shop/models/money.py", 1),
        ("shop/models/order.py", 0),
    ]
    assert (shown["breaks_modules"], shown["breaks_test_files"]) == (5, 1)
    assert [(use["target"], use["how"]) for use in shown["imports"]] == [
        ("shop/settings.py", "module"),
        ("shop/models/money.py", "module"),
        ("shop/views.py", "type-checking"),
    ]
    assert shown["others"] == {"json": 1, "typing": 2, "attrs": 4}


def test_guarded_and_cut_lists(service: Path) -> None:
    assert "in a try that goes on without it: 1\n" in inside("show", "imports", "shop.local", cwd=service).out
    everybody = {f"use_{number:02}.py": b"import shop\n" for number in range(12)}
    for path, content in everybody.items():
        (service / path).write_bytes(content)
    cut = inside("show", "imports", "shop", cwd=service).out
    assert "… and 4 more (--all)" in cut
    assert "use_11.py" not in cut
    assert "use_11.py:1  the module\n" in inside("show", "imports", "shop", "--all", cwd=service).out
    for path in everybody:
        (service / path).unlink()


def test_why_a_module_cannot_be_imported(tmp_path: Path) -> None:
    files = {"a.py": b"import b\n", "b/__init__.py": b"", "b/c.py": b"from b import gone\n", "d.py": b"import b.c\n"}
    repository(tmp_path, {**files, "broken.py": b"def f(:\n"})
    assert (
        "Cannot be imported now\n└── b/c.py:1  b.gone is missing\n" in inside("show", "imports", "d", cwd=tmp_path).out
    )
    assert "Cannot be imported now" not in inside("show", "imports", "a", cwd=tmp_path).out
    assert "could not be parsed" in inside("show", "imports", "broken", cwd=tmp_path).out


def test_a_module_with_two_names(tmp_path: Path) -> None:
    files = {
        "app/x.py": b"",
        "app/y.py": b"import x\n",
        "z.py": b"import sys\nsys.path.insert(0, 'app')\nimport app.x\n",
    }
    out = inside("show", "imports", "app/x.py", cwd=repository(tmp_path, files)).out
    assert "imported by 2 names, each a copy of its own: app.x (1 import), x (1 import)\n" in out


def test_paths_from_the_current_folder_and_revisions(service: Path) -> None:
    inner = service / "shop"
    assert inside("show", "imports", "models/order.py", cwd=inner).out == SNAPSHOT.read_text(encoding="utf-8")
    assert inside("show", "imports", "./models", cwd=inner).out.startswith("shop.models  shop/models/__init__.py\n")
    git(service, "rm", "-q", "--cached", "shop/local.py")
    assert inside("show", "imports", "--staged", "shop.local", cwd=service).code == 2
    git(service, "reset", "-q")
    rev = inside("show", "imports", "shop.models.order", "--rev", "HEAD", cwd=service)
    assert rev.out == SNAPSHOT.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("module", "said"),
    [
        ("shop.model.order", "no module 'shop.model.order' in this tree; did you mean 'shop.models.order'?"),
        ("shop/models/ordr.py", "no module 'shop/models/ordr.py' in this tree; did you mean 'shop/models/order.py'?"),
        ("nothing.like.it", "no module 'nothing.like.it' in this tree"),
        ("conf", "'conf' could be one/conf.py, two/conf.py: name one of them by its path"),
        ("", "no module '' in this tree"),
        ("../shop", "no module '../shop' in this tree"),
    ],
)
def test_no_such_module(service: Path, module: str, said: str) -> None:
    run = inside("show", "imports", module, cwd=service)
    assert (run.code, run.out, run.err) == (2, "", f"guard: {said}\n")


def test_show_alone_lists_its_kinds(service: Path) -> None:
    run = inside("show", cwd=service)
    assert "imports     Show who imports a module" in run.out + run.err
    assert run.code == 2
