"""The second half of `make demo`: the staging loop on `examples/chat-service`, deployed on this machine.

Green; then the service's data class loses a field, which the guards block; then, with the guards overridden, the loop
sees it fail, explains it, and goes back to what was well; then it is mended, and green again.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from examples.shop import commit
from examples.telling import command, fail, item, say, show, title

_EXAMPLE: Final = Path(__file__).parent / "chat-service"
_FIELD: Final = "    trace: list[str] = field(default_factory=list)\n"
_USE: Final = ', "trace": self.trace'
_CODES: Final = {0: "the goal is met", 10: "the guards blocked it", 12: "the service was not healthy"}
_STEPS: Final = ("guards", "select", "deploy", "health", "phase", "why", "options", "rollback", "health-after-rollback")


def run(folder: Path) -> None:
    """Run it in `folder`, which is made. Exits with 1 where something is not as expected."""
    shutil.copytree(_EXAMPLE, folder, ignore=shutil.ignore_patterns("__pycache__", ".guard", ".pytest_cache"))
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    commit(folder, "A chat service")

    title("6. The staging loop: a chat service is deployed here, and proven to work")
    say(
        "Guards, deploy, health over HTTP and WebSocket, and end-to-end tests in four phases, with what each must show."
    )
    good = _loop(folder, 0)
    _expect("tests that passed", [test["outcome"] for test in good["tests"]], ["passed"] * len(good["tests"]))

    title("7. Its data class loses a field that is still passed to it: the guards block the deploy")
    events = folder / "app" / "events.py"
    before = events.read_text(encoding="utf-8")
    if _FIELD not in before or _USE not in before:
        fail("the example's data class has not got the field any more")
    events.write_text(before.replace(_FIELD, "").replace(_USE, "").replace(", field\n", "\n"), encoding="utf-8")
    commit(folder, "Nobody reads the trace")
    blocked = _loop(folder, 10)
    _expect("rules that blocked", {cause["rule"] for cause in blocked["causes"]}, {"DCF002"})

    title("8. With the guards overridden: it fails, says why, and goes back to what was well")
    failed = _loop(folder, 12, "--override-guards", "to see what would have happened")
    cause = next(one for one in failed["causes"] if one["rank"] == "primary")
    item(f"{cause['kind']}: {cause['summary']}", f"Rule: {cause['rule']}. Gates: {cause['gate']}.")
    for why in cause["whys"]:
        item(why["question"], why["answer"] or "(open)")
    for option in cause["options"]:
        item(f"Way out: {option['title']}", _dry_run(option))
    _expect("the cause", (cause["kind"], cause["rule"]), ("service-error", "DCF002"))
    _expect("questions left open", [why["question"] for why in cause["whys"] if not why["answer"]], [])
    after = {step["name"]: step["outcome"] for step in failed["steps"]}
    _expect("ways out that were tried", [one["kind"] for one in cause["options"] if not one["tried"]], [])
    _expect("the rollback", (after.get("rollback"), after.get("health-after-rollback")), ("ok", "ok"))

    title("9. Mended: the loop is green again")
    events.write_text(before, encoding="utf-8")
    commit(folder, "Bring the trace back")
    _loop(folder, 0)


def _loop(folder: Path, code: int, *arguments: str) -> dict[str, Any]:
    """Run a session, show how it went, and give its record. Fails where it does not end with `code`."""
    command("guard", "loop", "run", *(f"'{one}'" if " " in one else one for one in arguments))
    done = _guard(folder, "run", *arguments)
    shown = _guard(folder, "show", "--output", "json")
    if shown.returncode:
        fail(f"guard loop run ended with {done.returncode}, without a record\n{done.stdout}{done.stderr}{shown.stderr}")
    session: dict[str, Any] = json.loads(shown.stdout)
    for step in session["steps"]:
        if step["name"].startswith(_STEPS):
            show([f"  {step['outcome']:<9} {step['name']:<24} {step['summary'][:180]}"])
    reached = f": {session['goal']['reached']}" if session["goal"] else ""
    show([f"  {session['verdict']}{reached}", f"(exit code {done.returncode}: {_CODES[code]})"])
    if done.returncode != code:
        fail(f"guard loop run ended with {done.returncode}, expected {code}\n{done.stdout}{done.stderr}")
    return session


def _dry_run(option: Mapping[str, Any]) -> str:
    """What a dry run of a way out gave, as a sentence."""
    told = ", ".join(f"{word} {len(option[word]) or 'none'}" for word in ("removes", "adds", "leaves"))
    return f"Dry run, in findings: {told}; {option['note']}."


def _guard(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment: Mapping[str, str] = {**os.environ, "CHAT_TOKEN": "only-for-the-demo"}
    return subprocess.run(
        [sys.executable, "-m", "guard", "loop", *arguments],
        cwd=folder,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )


def _expect(what: str, found: object, expected: object) -> None:
    if found != expected:
        fail(f"{what}: {found}, expected {expected}")
