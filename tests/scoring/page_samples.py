"""Standings to show on a page: one like any other, one that a hostile repository brings about, one with thousands of
findings."""

from __future__ import annotations

from fractions import Fraction

import msgspec
from scoring_support import SampleTree, appraised

from guard.checks.application_views import APPLICATIONS, packed
from guard.checks.middleware_view import AppView, ArmView, ChoiceView, LayerView, Spot, Unseen
from guard.model import Extent, Finding, Fix, Impact, Problem, Related, Severity, Since, Span
from guard.report import RenderContext
from guard.report.standing import render
from guard.scoring.model import Appraisal, Category, Comparison, Point

HOSTILE = "<img src=x onerror=alert(1)></script><!--\u202e\x1b[31m\x00&lt;{{ 7*7 }}`\u2028'\"漢\udcff"
"""A name or a message that wants to be more than text."""
SHOWN = r"<img src=x onerror=alert(1)></script><!--\u202e\x1b[31m\x00&lt;{{ 7*7 }}`\u2028'" + '"漢\\xff'
"""The same as a reader has to see it."""
SAME = "class Price:\n    def __init__(self, amount):\n        self.amount = amount\n\n    def net(self):\n"
CONTENTS = {
    "shop/__init__.py": b"",
    "shop/prices.py": f"{SAME}        return self.amount / 1.2\n".encode(),
    "shop/invoices.py": f"{SAME}        rate = 1.25\n        return self.amount / rate\n".encode(),
    "shop/main.py": b"from shop.gone import x\nfrom shop.prices import Price\n\nprint(Price, x)\n",
    "shop/jobs.py": b"from shop.gone import x\nfrom shop.gone import y\n\nprint(x, y)\n",
    "shop/web.py": b"""\
from fastapi import FastAPI
from starlette.middleware.sessions import SessionMiddleware


class Tenant:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        await self.app(scope, receive, send)


app = FastAPI()
""",
    "tests/test_shop.py": b"def test_nothing():\n    assert undefined_name\n",
}


def sources(contents: dict[str, bytes]) -> dict[str, str]:
    """The texts of files, as a format is given them."""
    return {path: content.decode("utf-8", "replace") for path, content in contents.items()}


def finding(number: int = 0, **changes: object) -> Finding:
    """An error in some file, changed as told."""
    fields: dict[str, object] = {
        "code": "IMP002",
        "slug": "missing-name",
        "severity": Severity.ERROR,
        "impact": Impact.RUNTIME,
        "path": "shop/main.py",
        "span": Span(1, 23, 1, 24),
        "message": f"shop.gone does not define x{number}",
        "symbol": "",
        "fingerprint": f"f{number}",
        **changes,
    }
    return Finding(**fields)  # type: ignore[arg-type]


def with_findings(appraisal: Appraisal, *findings: Finding) -> Appraisal:
    """The appraisal with other findings on its report."""
    return msgspec.structs.replace(appraisal, report=msgspec.structs.replace(appraisal.report, findings=findings))


def shop(name: str = "Tenant", path: str = "shop/web.py", depth: int = 1) -> AppView:
    """An application with layers of every kind, and another one mounted in it."""
    spot = Spot(path, 13)
    tenant = LayerView(
        name=name, origin="shop.web.Tenant", spot=spot, reads=("session",), unseen=(Unseen("session", name, spot),)
    )
    session = LayerView(name="SessionMiddleware", origin="x", spot=spot, sets=("session",))
    choice = ChoiceView(spot, (ArmView(f"{name} is on", (session,)), ArmView("otherwise", ())))
    own = LayerView(name="ExceptionMiddleware", means="framework")
    inner = AppView(name=f"{name}:admin", framework="starlette", spot=spot, impact=Impact.RUNTIME, nodes=(session,))
    return AppView(
        name=f"{name}:app",
        framework="fastapi",
        spot=spot,
        impact=Impact.RUNTIME,
        nodes=(*(tenant,) * depth, choice, own),
        sees=("session",),
        notes=(f"{name} is not certain",),
        named=(spot,),
        mounted=(inner,),
    )


def with_applications(appraisal: Appraisal, *apps: AppView) -> Appraisal:
    """The appraisal of a tree with other applications."""
    report = msgspec.structs.replace(appraisal.report, kept={APPLICATIONS: packed(apps)})
    return msgspec.structs.replace(appraisal, report=report)


def usual() -> tuple[Appraisal, dict[str, str]]:
    """A repository with findings of several kinds, a comparison and a history; and the texts of its files."""
    appraisal = appraised(SampleTree(CONTENTS))
    order = finding(
        code="MID001",
        slug="wrong-order",
        path="shop/web.py",
        span=Span(13, 1, 13, 4),
        message="Tenant reads request.session and stands outside SessionMiddleware, which provides it",
        related=(Related("shop/web.py", 2, "SessionMiddleware is added here"),),
        help="Add SessionMiddleware after Tenant.",
        data={"outer": "Tenant", "inner": "SessionMiddleware"},
        fix=Fix("unsafe", "turn them round"),
    )
    appraisal = with_findings(appraisal, *appraisal.report.findings, order)
    appraisal = with_applications(appraisal, shop())
    new = appraisal.report.findings[:1]
    since = Since(rev="main", commit="1f" * 20, unchanged=2, fixed=1)
    comparison = Comparison(
        since=since,
        new=new,
        fixed=(finding(9),),
        before=Fraction(3, 4),
        categories={Category.IMPORTS: Fraction(1, 2)},
    )
    history = tuple(
        Point(
            commit=f"{day:02x}" * 20,
            date=f"2026-01-{day:02}T00:00:00+00:00",
            subject=f"Work of day {day}",
            score=Fraction(60 + day, 100),
            errors=9 - day,
            warnings=1,
            read=day != 2,
        )
        for day in range(1, 6)
    )
    appraisal = msgspec.structs.replace(
        appraisal, comparison=comparison, history=history, notes=("a note",), failures=("the score is under 99",)
    )
    return appraisal, sources(CONTENTS)


def hostile() -> tuple[Appraisal, dict[str, str]]:
    """A repository that puts markup, control characters and turned text wherever it can."""
    appraisal, _ = usual()
    path = f"{HOSTILE}/x.py"
    text = f"import x {HOSTILE}\n" * 5
    changes: dict[str, object] = {
        "path": path,
        "message": HOSTILE,
        "cause": HOSTILE,
        "help": HOSTILE,
        "symbol": HOSTILE,
        "related": (Related(path, 1, HOSTILE),),
        "fix": Fix("safe", HOSTILE),
        "extent": Extent(1, 1, 1),
        "span": Span(2, 8, 2, 9),
    }
    missing = finding(1, **changes, data={"module": HOSTILE, "name": HOSTILE})
    elsewhere = msgspec.structs.replace(missing, path=f"shop/other{HOSTILE}.py")
    order = finding(2, **{**changes, "code": "MID001", "data": {"outer": HOSTILE, "inner": HOSTILE}})
    first = finding(
        3,
        **{**changes, "code": "SSOT001", "data": {"name": HOSTILE, "kind": "canonical", "canonical": path}},
    )
    copy = msgspec.structs.replace(
        first, span=Span(4, 1, 4, 2), data={"name": HOSTILE, "kind": "diverged copy", "canonical": path}
    )
    findings = (missing, elsewhere, order, first, copy)
    standing = appraisal.standing
    standing = msgspec.structs.replace(
        standing,
        packages=(*standing.packages, msgspec.structs.replace(standing.packages[0], name=HOSTILE)),
        lifts=(msgspec.structs.replace(standing.lifts[0], findings=findings),),
    )
    report = msgspec.structs.replace(
        appraisal.report,
        tree_label=HOSTILE,
        findings=findings,
        problems=(Problem(path, "unreadable", HOSTILE), Problem(path, "submodule", HOSTILE)),
    )
    assert appraisal.comparison is not None
    comparison = msgspec.structs.replace(
        appraisal.comparison, since=Since(rev=HOSTILE, commit="1f" * 20, unchanged=0, fixed=0), fixed=(missing,)
    )
    history = tuple(msgspec.structs.replace(point, subject=HOSTILE) for point in appraisal.history)
    appraisal = msgspec.structs.replace(
        appraisal,
        report=report,
        standing=standing,
        comparison=comparison,
        history=history,
        notes=(HOSTILE,),
        failures=(HOSTILE,),
    )
    return with_applications(appraisal, shop(HOSTILE, path)), {path: text}


def thousands(number: int = 12_000, files: int = 2_400) -> tuple[Appraisal, dict[str, str]]:
    """A repository with so many findings, each line of its code another one."""
    appraisal = appraised(SampleTree(CONTENTS))
    texts = {
        f"part_{at % 40}/package/module_{at}.py": "".join(
            f"    value_{line} = compute_something({at}, {line}, name='a line of code like many others')\n"
            for line in range(100)
        )
        for at in range(files)
    }
    paths = list(texts)
    findings = [
        finding(
            at,
            code=("IMP002", "SYN004", "DCF001")[at % 3],
            severity=list(Severity)[at % 3],
            impact=list(Impact)[at % 4],
            path=paths[at % files],
            span=Span(at * 7 % 95 + 3, 5, at * 7 % 95 + 3, 12),
            message=f"module {paths[at % files]} does not define the name number {at}",
            cause="Importing it raises ImportError.",
            help=f"Define it, or import name_{at % 500} from elsewhere.",
            symbol=f"function_{at % 700}",
        )
        for at in range(number)
    ]
    findings.sort(key=lambda one: one.sort_key)
    return with_findings(appraisal, *findings), texts


def page(sample: tuple[Appraisal, dict[str, str]]) -> str:
    """The page of a sample."""
    appraisal, texts = sample
    return render("html", appraisal, RenderContext(sources=texts))
