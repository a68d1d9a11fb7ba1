"""A whole session in which every part tells secrets: none of them is in anything that is kept, shown or sent."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from guard.runner import probe
from tests.engine.support import inside
from tests.runner.loop_support import APP, shown, small
from tests.runner.publish.fake_github import GitHub, serving

OF_THE_PLAN, TOKEN = "own-value-of-the-plan-77", "publishing-with-this-42"
PLANTED = {
    "a value of the environment": (OF_THE_PLAN, OF_THE_PLAN),
    "a bearer token": ("abcDEF.ghi-0123456", "Authorization: Bearer abcDEF.ghi-0123456"),
    "a JSON Web Token": ("dozjgNryP4J3jVmNHl0w5N", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N"),
    "a key of Amazon's": ("AKIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7EXAMPLE"),
    "a key of Google's": ("A-1234567890abcdefghijklmnop", "AIzaSyA-1234567890abcdefghijklmnopqrstu"),
    "a token of GitHub's": ("0123456789abcdefghijABCD", "ghp_0123456789abcdefghijABCDEFGHIJ012345"),
    "a password in a URL": ("hunter2-in-url", "postgresql://admin:hunter2-in-url@db:5432/x"),
    "a password by its name": ("hunter2-by-name", "password=hunter2-by-name"),
    "a cookie": ("s3ss10n-of-mine", "Cookie: theme=dark; sessionid=s3ss10n-of-mine"),
    "a private key": ("MIIEowIBAAKCAQEA7bq", "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA7bq\nabc+/="),
}
"""What must not be seen, and the text that it is told in. The private key is cut off: it is the last of them."""
TELLS = """
import json, os, urllib.request, warnings
import pytest

TEXTS = json.loads(os.environ["PLANTED"])
ALL = "\\n".join(TEXTS)

def ask(path):
    return urllib.request.urlopen(os.environ["GUARD_TARGET_URL"] + path, timeout=5).read()

def test_prints_and_fails():
    ask("/")
    print(ALL)
    assert TEXTS == [], ALL

def test_raises_one_from_another():
    ask("/")
    try:
        raise KeyError(ALL)
    except KeyError as error:
        raise RuntimeError(f"could not sign in: {ALL}") from error

@pytest.mark.parametrize("text", TEXTS)
def test_has_it_in_its_name(text):
    ask("/?api_key=" + next(one for one in TEXTS if one.startswith("password=")).partition("=")[2])
    warnings.warn(text)

def test_measures_it(record_property):
    ask("/")
    for text in TEXTS:
        record_property("events", text)
        record_property(text, 1)

def test_meets_it_in_an_answer():
    ask("/broken")
"""
LOGS = """
import json as _json
for text in _json.loads(os.environ["PLANTED"]):
    print("started with", text, flush=True)
"""
ANSWERS = """
    if path == "/broken":
        raise RuntimeError("no answer: " + os.environ["PLANTED"])
"""
TELL_ON = "import pathlib, sys\ntold = sys.stdin.read()\npathlib.Path('../told.json').write_text(told)\nprint(told)\n"


@pytest.fixture
def github(monkeypatch: pytest.MonkeyPatch) -> GitHub:
    """A repository, with all that is secret in the environment."""
    monkeypatch.setattr(probe, "_SETTLE_S", 0.02)
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    monkeypatch.setenv("E2E_TOKEN", OF_THE_PLAN)
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
    monkeypatch.setenv("PLANTED", json.dumps([text for _, text in PLANTED.values()]))
    return GitHub()


def telling(folder: Path, url: str) -> Path:
    """A service whose every part tells secrets."""
    (folder / "tell_on.py").write_text(TELL_ON, encoding="utf-8")
    app = APP.replace("STATUS = 200", f"{LOGS}STATUS = 200").replace(
        '    status = STATUS if path == "/health"', f'{ANSWERS}    status = STATUS if path == "/health"'
    )
    more = f'[tool.guard.loop.publish]\nrepository = "acme/chat"\napi_url = "{url}"\n'
    root = small(folder / "small", app=app, more=more, head='on_failure = ["python3", "../tell_on.py"]\n')
    (root / "tests/test_first.py").write_text("def test_a(record_property):\n    record_property('n', 1)\n")
    (root / "tests/test_second.py").write_text(TELLS)
    plan = (root / "pyproject.toml").read_text(encoding="utf-8").replace("fail_fast = true", "real = false")
    plan += 'criteria = ["events contains [begun, ended] in order", "order(begun, ended)"]\n'
    plan += '[tool.pytest.ini_options]\naddopts = "-p no:hypothesispytest -p no:anyio -p no:pytest_mock"\n'
    (root / "pyproject.toml").write_text(plan, encoding="utf-8")
    return root


def test_none_of_ten_kinds_is_kept_shown_or_sent(tmp_path: Path, github: GitHub) -> None:
    with serving(github) as url:
        root = telling(tmp_path, url)
        runs = {"run": inside("loop", "run", cwd=root)}
        assert runs["run"].code == 13, runs["run"]
        for form in ("text", "json", "junit", "markdown", "html"):
            runs[f"show as {form}"] = inside("loop", "show", *(("--output", form) if form != "text" else ()), cwd=root)
        runs["list"] = inside("loop", "list", cwd=root)
        runs["plan"] = inside("loop", "plan", cwd=root)
        runs["publish --dry-run"] = inside("loop", "publish", "--dry-run", cwd=root)
        runs["publish"] = inside("loop", "publish", cwd=root)
    assert {name: run.code for name, run in runs.items() if name != "run" and run.code} == {}
    assert_all_was_told(shown(runs["show as json"]), (tmp_path / "told.json").read_text(encoding="utf-8"))
    places = {name: run.out + run.err for name, run in runs.items()}
    places["what is sent"] = sent(github)
    places["what on_failure is told"] = (tmp_path / "told.json").read_text(encoding="utf-8")
    for path in (root / ".guard").rglob("*"):
        if path.is_file():
            places[str(path.relative_to(root))] = path.read_bytes().decode("latin-1")
    assert {".guard/loop.db"} < places.keys()
    assert any(name.startswith(".guard/logs/") for name in places)
    seen = [(kind, place) for kind, (secret, _) in PLANTED.items() for place, text in places.items() if secret in text]
    assert seen == []
    assert [place for place, text in places.items() if TOKEN in text] == []


def sent(github: GitHub) -> str:
    """All that GitHub was given, but for the token that is its own."""
    assert github.issues_
    assert github.pulls_
    return json.dumps([github.asked, github.issues_, github.comments_, github.pulls_, github.trees])


def assert_all_was_told(session: dict[str, object], on_failure: str) -> None:
    """Each part has told what it was to tell, with the secrets taken out."""
    tests = session["tests"]
    assert isinstance(tests, list)
    by_name = {test["id"].partition("::")[2]: test for test in tests}
    assert by_name["test_prints_and_fails"]["outcome"] == "failed"
    assert "could not sign in" in json.dumps(by_name["test_raises_one_from_another"])
    named = [test for test in tests if "test_has_it_in_its_name" in test["id"]]
    assert len(named) == len(PLANTED), "though their names are the same without the secrets"
    assert by_name["test_meets_it_in_an_answer"]["outcome"] == "failed"
    assert "test_raises_one_from_another" in on_failure
    assert "[redacted]" in on_failure
