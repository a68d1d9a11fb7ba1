"""`guard report --output json` against its published schema, which must say what is written: no key more, none less."""

from __future__ import annotations

import json
from fractions import Fraction
from importlib.resources import files
from typing import Any

import msgspec
from hypothesis import given
from jsonschema import Draft202012Validator
from scoring_support import QUICK, TREES, Contents, SampleTree, appraised

from guard.census import Area
from guard.model import Since
from guard.report import RenderContext
from guard.report.standing import render
from guard.scoring.model import GRADES, Appraisal, Category, Comparison, Point

SCHEMA = json.loads(files("guard").joinpath("schemas/standing.schema.json").read_text(encoding="utf-8"))
CHECK = json.loads(files("guard").joinpath("schemas/report.schema.json").read_text(encoding="utf-8"))
DOCUMENT = Draft202012Validator(SCHEMA)
BROKEN = SampleTree({"app/main.py": b"from app.gone import x\n", "app/__init__.py": b"", "caf\udce9.py": b"x = (\n"})


def compared(appraisal: Appraisal) -> Appraisal:
    """The appraisal with a comparison and a history."""
    findings = appraisal.report.findings
    since = Since(rev="main", commit="1f" * 20, unchanged=2, fixed=len(findings))
    comparison = Comparison(
        since=since, new=findings, fixed=findings, before=Fraction(1, 3), categories={Category.TEXT: Fraction(1)}
    )
    point = Point(
        commit="1f" * 20,
        date="2026-01-02T03:04:05+00:00",
        subject="caf\udce9",
        score=Fraction(2, 3),
        errors=1,
        warnings=2,
        read=True,
    )
    return msgspec.structs.replace(
        appraisal, comparison=comparison, history=(point,), notes=("shallow",), failures=("too low",)
    )


def document(appraisal: Appraisal) -> Any:
    return json.loads(render("json", appraisal, RenderContext()))


def test_the_schema_is_one_and_speaks_of_findings_as_that_of_a_check_does() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    for name in ("finding", "problem", "tree", "files"):
        assert SCHEMA["$defs"][name] == CHECK["$defs"][name]
    assert SCHEMA["$defs"]["category"]["enum"] == list(Category)
    assert SCHEMA["$defs"]["area"]["enum"] == list(Area)
    assert SCHEMA["$defs"]["grade"]["enum"] == [*GRADES, "-"]


def test_keys_come_in_the_order_of_the_schema() -> None:
    written = document(compared(appraised(BROKEN)))
    assert list(written) == SCHEMA["required"] == list(SCHEMA["properties"])
    for name in ("categories", "absent", "packages", "lifts", "history"):
        described = SCHEMA["properties"][name]["items"]
        assert list(written[name][0]) == described["required"] == list(described["properties"]), name
    for name in ("counts", "left_out"):
        described = SCHEMA["properties"][name]
        assert list(written[name]) == described["required"] == list(described["properties"]), name
    described = SCHEMA["properties"]["since"]["oneOf"][1]
    assert list(written["since"]) == described["required"] == list(described["properties"])


@QUICK
@given(contents=TREES)
def test_every_appraisal_fits_the_schema(contents: Contents) -> None:
    appraisal = appraised(SampleTree(contents, [min(contents)]))
    DOCUMENT.validate(document(appraisal))
    DOCUMENT.validate(document(compared(appraisal)))


def test_two_runs_give_the_same_bytes() -> None:
    one, other = (render("json", appraised(BROKEN), RenderContext()) for _ in range(2))
    assert one == other
    assert "caf\\\\xe9.py" in one
