"""Small programs named as the real tools are, which answer with the real tools' documented output and note what they
were asked."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

PROGRAM = """#!{python} -IS
import json, os, sys
folder = {folder!r}
with open(folder + "/answers.json") as file:
    rules = json.load(file)
given = sys.stdin.read()
flags = [json.load(open(a.split("=", 1)[1])) for a in sys.argv if a.startswith("--flags-file=")]
asked = dict(argv=sys.argv[1:], stdin=given, env=dict(os.environ), cwd=os.getcwd(), flags=flags)
with open(folder + "/asked.jsonl", "a") as file:
    file.write(json.dumps(asked) + "\\n")
for number, (words, answers) in enumerate(rules):
    left = iter(sys.argv[1:])
    if all(word in left for word in words):
        counter = folder + "/count-%d" % number
        seen = os.path.getsize(counter) if os.path.exists(counter) else 0
        with open(counter, "a") as file:
            file.write(".")
        answer = answers[min(seen, len(answers) - 1)]
        sys.stdout.write(answer.get("stdout", ""))
        sys.stderr.write(answer.get("stderr", ""))
        sys.exit(answer.get("status", 0))
sys.stderr.write("no answer for %r" % (sys.argv[1:],))
sys.exit(99)
"""


class Fake:
    """One program on a PATH of its own."""

    def __init__(self, folder: Path, name: str) -> None:
        self.bin = folder / "bin"
        self.bin.mkdir()
        self._state = folder / "state"
        self._state.mkdir()
        program = self.bin / name
        program.write_text(PROGRAM.format(python=sys.executable, folder=str(self._state)), encoding="utf-8")
        program.chmod(0o755)
        self._rules: list[tuple[tuple[str, ...], list[dict[str, Any]]]] = []
        self.environ = {"PATH": str(self.bin), "HOME": str(folder)}

    def answers(self, *words: str, stdout: object = "", stderr: str = "", status: int = 0) -> None:
        """What is said to a command line that has `words` in this order; said again, the answers come one after the
        other, and the last one stays."""
        text = stdout if isinstance(stdout, str) else json.dumps(stdout)
        answer = {"stdout": text, "stderr": stderr, "status": status}
        for known, answers in self._rules:
            if known == words:
                answers.append(answer)
                break
        else:
            self._rules.append((words, [answer]))
        (self._state / "answers.json").write_text(json.dumps(self._rules), encoding="utf-8")

    def asked(self) -> list[dict[str, Any]]:
        """What it was started with, each time."""
        file = self._state / "asked.jsonl"
        return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.exists() else []

    def lines(self) -> list[list[str]]:
        """The arguments of each time."""
        return [one["argv"] for one in self.asked()]


def redact(text: str) -> str:
    """Stands for the loop's own redaction."""
    return text.replace("hunter2", "***")


def silent(_line: str) -> None:
    """Progress that nobody looks at."""
