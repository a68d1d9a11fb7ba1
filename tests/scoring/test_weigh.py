"""The formula on a census and findings made by hand, so that every figure can be told by heart."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import msgspec
import pytest

from guard.census import Area, Census, Counted, Unread
from guard.checks.line_counts import MOST_LINES, counted_lines, most_lines
from guard.configuration.settings import Scoring
from guard.model import WHOLE_FILE, Finding, Impact, Problem, Report, Severity, Span
from guard.scoring.model import Category, Standing, change, grade, points
from guard.scoring.packages import packages_of
from guard.scoring.weigh import standing_of

CODES = ("SYN001", "IMP001", "EOL001", "MID001", "DCF001", "SSOT001", "IMG001", "SUP001")
ONLY_IMPORTS = Scoring(weights={category.value: int(category is Category.IMPORTS) for category in Category})


def finding(code: str, path: str, **changes: object) -> Finding:
    fields: dict[str, object] = {
        "code": code,
        "slug": code.lower(),
        "severity": Severity.ERROR,
        "impact": Impact.RUNTIME,
        "path": path,
        "span": Span(3, 1, 3, 9),
        "message": f"{code} in {path}",
        "symbol": "",
        "fingerprint": f"{code}{path}",
        **changes,
    }
    return Finding(**fields)  # type: ignore[arg-type]


def python(path: str, lines: int, area: Area = Area.PRODUCTION, **changes: bool) -> Counted:
    return Counted(path=path, area=area, lines=lines, python=True, **changes)


def dockerfile(path: str, lines: int, area: Area = Area.PRODUCTION, **changes: bool) -> Counted:
    return Counted(path=path, area=area, lines=lines, dockerfile=True, **changes)


def stand(files: tuple[Counted, ...], *findings: Finding, **given: object) -> Standing:
    """The standing of files and findings; `unread`, `projects`, `problems` and `settings` may be given."""
    unread: tuple[Unread, ...] = given.get("unread", ())  # type: ignore[assignment]
    blind = any(one.python for one in unread)
    projects: tuple[str, ...] = given.get("projects", ())  # type: ignore[assignment]
    census = Census(tuple(sorted(files, key=lambda one: one.path)), unread, projects, bool(unread), blind)
    report = Report(
        guard="0",
        tree_kind="directory",
        tree_label="",
        files_found=len(files),
        files_analysed=len(files),
        findings=tuple(sorted(findings, key=lambda one: one.sort_key)),
        problems=given.get("problems", ()),  # type: ignore[arg-type]
    )
    return standing_of(report, census, given.get("settings", Scoring()), CODES)  # type: ignore[arg-type]


def shares(standing: Standing) -> Mapping[Category, Fraction]:
    return {one.category: one.share for one in standing.categories}


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"", 0),
        (b"\n \t\n\r\n\f\n", 0),
        (b"a line of twenty bytes\n" * 3, 3),
        (b"a line of twenty bytes\r\n\r\nand one more of them\rand another of them", 3),
        (b"x\n" * 100, 10),
        (b"x", 1),
        (b"a line of twenty bytes\n" * 20_000, MOST_LINES),
    ],
)
def test_lines(content: bytes, lines: int) -> None:
    assert counted_lines(content) == lines <= most_lines(len(content))


def test_a_finding_takes_a_hundred_lines_and_all_where_it_stops_the_file() -> None:
    files = (python("a.py", 1000), python("b.py", 1000))
    clean = stand(files)
    assert (clean.score, clean.grade, clean.lifts) == (1, "A", ())
    for findings, taken in [
        ([finding("IMP001", "a.py")], 100),
        ([finding("IMP001", "a.py"), finding("IMP001", "a.py", fingerprint="other")], 200),
        ([finding("IMP001", "a.py", fingerprint=str(number)) for number in range(30)], 1000),
        ([finding("IMP001", "a.py", raises="ImportError")], 1000),
        ([finding("IMP001", "a.py", span=WHOLE_FILE)], 1000),
        ([finding("IMP001", "a.py", severity=Severity.WARNING)], 100),
        ([finding("IMP001", "a.py", severity=Severity.INFO)], 0),
        ([finding("SUP001", "a.py")], 0),
    ]:
        assert shares(stand(files, *findings))[Category.IMPORTS] == 1 - Fraction(taken, 2000)
    assert shares(stand(files, finding("EOL001", "a.py")))[Category.TEXT] == Fraction(1, 2)


def test_what_a_line_is_for_says_what_it_weighs() -> None:
    files = (python("a.py", 100), python("test_a.py", 100, Area.TESTS), python("tool.py", 100, Area.TOOLING))
    for path, weight in (("a.py", 4), ("test_a.py", 2), ("tool.py", 1)):
        assert shares(stand(files, finding("IMP001", path)))[Category.IMPORTS] == 1 - Fraction(weight, 7)
    even = Scoring(areas={"production": 1, "tests": 1})
    assert shares(stand(files, finding("IMP001", "a.py"), settings=even))[Category.IMPORTS] == Fraction(2, 3)


def test_the_score_is_the_mean_by_weight_of_what_there_is() -> None:
    half = stand((python("a.py", 100), python("b.py", 100)), finding("IMP001", "a.py"))
    # There is neither middleware nor a class: compiles 25, imports 25, text 10, ssot 20.
    assert [one.category for one in half.categories] == ["compiles", "imports", "text", "ssot"]
    assert half.score == 1 - Fraction(25, 80) / 2
    assert stand(
        (python("a.py", 100), python("b.py", 100)), finding("IMP001", "a.py"), settings=ONLY_IMPORTS
    ).score == (Fraction(1, 2))
    nothing = stand(())
    assert (nothing.score, nothing.grade, nothing.categories) == (0, "-", ())


def test_what_does_not_parse_is_in_no_category_clean() -> None:
    files = (python("a.py", 100, parsed=False), python("b.py", 300, middleware=True, classes=True))
    standing = stand(files, finding("SYN001", "a.py", raises="SyntaxError"))
    assert shares(standing) == {
        category: Fraction(1 if category is Category.TEXT else 3, 1 if category is Category.TEXT else 4)
        for category in Category
        if category is not Category.IMAGE  # there is no Dockerfile
    }
    assert (standing.unparsed_files, standing.unparsed_lines) == (1, 100)
    # Mending it is worth what it takes everywhere.
    assert standing.lifts[0].gain == 1 - standing.score


def test_what_an_image_lacks_is_taken_from_its_dockerfile() -> None:
    files = (python("a.py", 1000), dockerfile("Dockerfile", 50), dockerfile("ci/Dockerfile", 200, Area.TOOLING))
    both = {"images": ["Dockerfile", "ci/Dockerfile"], "file": "b.py", "pattern": "b*", "ignore_file": ".dockerignore"}
    for one, share in [
        (finding("IMG003", "Dockerfile"), Fraction(1, 2)),  # 50 lines of production count as much as 200 of tooling
        (finding("IMG001", "a.py", data=both), Fraction(0)),
        (finding("IMG001", "a.py", data=both, severity=Severity.WARNING), Fraction(400 - 50, 400)),
        (finding("IMG001", "a.py", data={**both, "images": ["ci/Dockerfile"]}), Fraction(1, 2)),
        # Where the report is about other files than the Dockerfile, it is there all the same.
        (finding("IMG001", "a.py", data={**both, "images": ["other/Dockerfile"]}), Fraction(400, 404)),
        (finding("IMG003", "other/Dockerfile"), Fraction(1, 2)),
        (finding("IMG001", "a.py", severity=Severity.INFO), Fraction(1)),
    ]:
        standing = stand(files, one)
        assert shares(standing)[Category.IMAGE] == share, one
        assert {share for category, share in shares(standing).items() if category is not Category.IMAGE} == {1}
        assert [lift.gain for lift in standing.lifts] == ([1 - standing.score] if share < 1 else [])
    assert [one.name for one in stand(files, finding("IMG001", "a.py", data=both)).packages if one.share < 1] == [
        ".",
        "ci",
    ]


def test_an_image_with_code_that_does_not_parse_is_not_clean() -> None:
    image = msgspec.structs.replace(dockerfile("Dockerfile", 50), unparsed=("a.py",))
    files = (python("a.py", 100, parsed=False), python("b.py", 300), image, dockerfile("b.Dockerfile", 150))
    standing = stand(files, finding("SYN001", "a.py", raises="SyntaxError"))
    assert shares(standing)[Category.IMAGE] == Fraction(3, 4)
    # Mending it is worth what it takes there too.
    assert standing.lifts[0].gain == 1 - standing.score
    unsaid = stand(files).categories[-1]
    assert (unsaid.category, unsaid.share, unsaid.best) == (Category.IMAGE, Fraction(3, 4), 1)


def test_one_pattern_is_one_cause() -> None:
    files = (python("a.py", 1000), dockerfile("Dockerfile", 50), dockerfile("b.Dockerfile", 50))
    pattern = {"pattern": "b*", "ignore_file": ".dockerignore"}
    findings = [
        finding("IMG001", "a.py", data={"images": ["Dockerfile"], "file": "b.py", **pattern}),
        finding("IMG003", "b.Dockerfile", data={"file": "b.txt", **pattern}),
        finding("IMG003", "b.Dockerfile", data={"file": "c.txt", "pattern": "c*", "ignore_file": ".dockerignore"}),
    ]
    standing = stand(files, *findings)
    # Where two causes have each all lines of an image, one alone mends nothing of it.
    assert [(one.category, len(one.findings)) for one in standing.lifts] == [(Category.IMAGE, 2)]
    assert standing.lifts[0].gain == stand(files, *findings[2:]).score - standing.score > 0


def test_a_dockerfile_that_was_not_read_is_not_clean() -> None:
    files = (python("a.py", 1000), dockerfile("Dockerfile", 50, doubtful=True))
    unread = (Unread("b.Dockerfile", Area.PRODUCTION, 50, False, "unreadable", True),)
    assert shares(stand((python("a.py", 1000),)))[Category.TEXT] == 1
    assert Category.IMAGE not in shares(stand((python("a.py", 1000),)))
    assert shares(stand(files))[Category.IMAGE] == 0
    image = stand(files, unread=unread).categories[-1]
    assert (image.category, image.share, image.best) == (Category.IMAGE, 0, 1)
    assert (image.areas[Area.PRODUCTION].doubtful, image.areas[Area.PRODUCTION].unread) == (50, 50)


def test_findings_of_one_cause_are_mended_together() -> None:
    files = tuple(python(f"{name}.py", 100) for name in "abcd")
    missing = [finding("IMP001", f"{name}.py", data={"module": "gone", "name": ""}) for name in "abc"]
    other = finding("IMP001", "c.py", fingerprint="x", data={"module": "lost", "name": ""})
    standing = stand(files, *missing, other, settings=ONLY_IMPORTS)
    # In c.py one of two causes alone mends nothing: each would take all of its lines.
    assert [(len(one.findings), one.gain) for one in standing.lifts] == [(3, Fraction(1, 2))]
    assert standing.score == Fraction(1, 4)


def test_a_lift_is_what_the_score_gains() -> None:
    files = (python("a.py", 500), python("b.py", 150, Area.TESTS), python("c.py", 900, Area.TOOLING, classes=True))
    findings = [
        finding("IMP001", "a.py"),
        finding("IMP001", "b.py", fingerprint="1", data={"module": "m"}),
        finding("IMP001", "b.py", fingerprint="2", data={"module": "n"}),
        finding("DCF001", "c.py", data={"class": "C", "class_path": "a.py", "field": "x"}),
        finding("EOL001", "b.py"),
    ]
    before = stand(files, *findings)
    assert len(before.lifts) == 5
    for lift in before.lifts:
        after = stand(files, *(one for one in findings if one not in lift.findings))
        assert after.score - before.score == lift.gain > 0
    assert [one.gain for one in before.lifts] == sorted((one.gain for one in before.lifts), reverse=True)


def test_what_was_not_read_is_not_clean() -> None:
    files = (python("a.py", 100, doubtful=True), python("b.py", 100))
    unread = (Unread("c.py", Area.PRODUCTION, 200, True, "too-large"),)
    standing = stand(files, unread=unread)
    found = shares(standing)
    assert found[Category.COMPILES] == Fraction(1, 2)
    assert found[Category.IMPORTS] == Fraction(1, 4)
    assert found[Category.SSOT] == 0
    assert found[Category.MIDDLEWARE] == 0  # it may be all that there is of it
    assert standing.best == 1
    assert stand(files, unread=(Unread("c", Area.PRODUCTION, -1, False, "unreadable"),)).categories[2].share < Fraction(
        1, 10**9
    )


def test_the_grade_is_capped() -> None:
    assert [grade(Fraction(score, 100)) for score in (100, 98, 97, 95, 90, 75, 74, 0)] == list("AABBCDEE")
    files = (python("a.py", 100_000),)
    standing = stand(files, finding("IMP001", "a.py", impact=Impact.STARTUP))
    assert standing.score > Fraction(98, 100)
    assert (standing.grade, standing.stops) == ("D", 1)
    assert stand(files, finding("IMP001", "a.py")).grade == "A"


def test_points_are_never_rounded_up() -> None:
    assert points(Fraction(99_999, 100_000)) == 99.99
    assert points(Fraction(1)) == 100
    assert (change(Fraction(-1, 100_000)), change(Fraction(-1, 1000))) == (0, -0.1)


def test_what_holds_no_source_is_told_apart() -> None:
    problems = (Problem("vendor", "submodule", ""), Problem("link", "outside-tree", ""), Problem("", "cache", ""))
    standing = stand((python("a.py", 100),), problems=problems)
    assert (standing.beside, standing.score) == ({"outside-tree": 1, "submodule": 1}, 1)


def test_a_finding_on_what_has_no_lines_still_counts() -> None:
    standing = stand((python("a.py", 100),), finding("EOL001", ".gitattributes"))
    assert shares(standing)[Category.TEXT] == Fraction(1, 2)
    standing = stand((python("a.py", 99), Counted("CON.png", Area.PRODUCTION, 0)), finding("TXT006", "CON.png"))
    assert shares(standing)[Category.TEXT] == Fraction(99, 100)


def test_packages_add_up() -> None:
    files = (python("api/a.py", 100), python("web/b.py", 300), python("setup.py", 50, Area.TOOLING))
    standing = stand(files, finding("IMP001", "api/a.py"), finding("SYN001", "web/b.py", raises="SyntaxError"))
    assert [(one.name, one.lines, one.errors) for one in standing.packages] == [
        ("web", 300, 1),
        ("api", 100, 1),
        (".", 50, 0),
    ]
    assert sum(one.costs for one in standing.packages) == 1 - standing.score
    assert [one.name for one in standing.packages if one.share == 1] == ["."]


def test_which_package_a_file_is_of() -> None:
    def names(*paths: str, projects: tuple[str, ...] = ()) -> list[str]:
        part = packages_of(Census(tuple(python(path, 10) for path in paths), (), projects))
        return [part(path) for path in paths]

    assert (
        names("a/x.py", "b/c/y.py", "z.py")
        == [
            "a",
            "b",
            ".",
        ][:3]
    )
    # A project is a part wherever it lies, and what is around it is not.
    assert names("services/api/x.py", "services/y.py", "z/q.py", "z/r.py", projects=("services/api",)) == [
        "services/api",
        "services",
        "z",
        "z",
    ]
    # What holds more than half is split.
    assert names("src/shop/cart/a.py", "src/shop/pay/b.py", "src/shop/c.py", "tests/t.py") == [
        "src/shop/cart",
        "src/shop/pay",
        "src/shop",
        "tests",
    ]
