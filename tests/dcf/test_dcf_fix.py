"""The field that DCF001 adds, where it can be told what it is."""

from __future__ import annotations

import textwrap
from pathlib import Path

from guard import fixing
from guard.config import load
from guard.engine import Options, check
from guard.model import Report
from guard.registry import all_rules
from guard.sources.directory import DirectoryTree
from guard.sources.tree import Tree

METRICS = """
    from dataclasses import dataclass


    @dataclass
    class FactoryMetrics:
        created: int = 0
        failed: int = 0  # so far
        cleanup_count: int = 0
        \"\"\"How often it was cleaned.\"\"\"
        name: str = ""

        def to_dict(self) -> dict[str, object]:
            return {
                "created": self.created,
                "cleanup_count": self.cleanup_count,
                "name": self.name,
            }
    """
FACTORY = """
    from metrics import FactoryMetrics


    class Factory:
        def __init__(self) -> None:
            self._metrics = FactoryMetrics()

        def health(self) -> dict[str, object]:
            return {"emergency": self._metrics.emergency_cleanup_count}

        def count(self) -> None:
            self._metrics.retries += 1
            self._metrics.errors.append("x")
            self._metrics.owner
    """


def _check(tree: Tree) -> Report:
    rules = all_rules()
    codes = frozenset(code for code in rules if code.startswith("DCF"))
    return check(tree, load(tree, rules=rules), codes, Options(jobs=1))


def _fixed(folder: Path, files: dict[str, str]) -> fixing.Fixed:
    for path, content in files.items():
        (folder / path).write_text(textwrap.dedent(content).lstrip("\n"))
    tree = DirectoryTree(str(folder))
    return fixing.fix(tree, _check(tree), _check, unsafe=True)


def test_fields_are_added_beside_their_kin(tmp_path: Path) -> None:
    outcome = _fixed(tmp_path, {"metrics.py": METRICS, "factory.py": FACTORY})
    assert list(outcome.changes) == ["metrics.py"]
    assert outcome.changes["metrics.py"].decode() == textwrap.dedent("""\
        from dataclasses import dataclass, field


        @dataclass
        class FactoryMetrics:
            created: int = 0
            failed: int = 0  # so far
            cleanup_count: int = 0
            \"\"\"How often it was cleaned.\"\"\"
            emergency_cleanup_count: int = 0
            name: str = ""
            errors: list = field(default_factory=list)
            retries: int = 0

            def to_dict(self) -> dict[str, object]:
                return {
                    "created": self.created,
                    "cleanup_count": self.cleanup_count,
                    "emergency_cleanup_count": self.emergency_cleanup_count,
                    "name": self.name,
                    "errors": self.errors,
                    "retries": self.retries,
                }
        """)
    assert [(refusal.path, refusal.code) for refusal in outcome.refused] == [("factory.py", "DCF001")]
    assert "owner" in outcome.refused[0].reason
    namespace: dict[str, object] = {"__name__": "__main__"}
    exec(outcome.changes["metrics.py"], namespace)


def test_places_of_arguments_stay(tmp_path: Path) -> None:
    calls = FACTORY + "\n\n    KEPT = FactoryMetrics(1, 2, 3, 'x')\n"
    outcome = _fixed(tmp_path, {"metrics.py": METRICS, "factory.py": calls})
    fields = outcome.changes["metrics.py"].decode()
    assert fields.index("name: str") < fields.index("emergency_cleanup_count: int")


def test_where_subclasses_are_called_by_position(tmp_path: Path) -> None:
    below = """
        from dataclasses import dataclass

        from metrics import FactoryMetrics


        @dataclass
        class More(FactoryMetrics):
            extra: int = 0


        KEPT = More(1, 2, 3, "x", 5)
        """
    outcome = _fixed(tmp_path, {"metrics.py": METRICS, "factory.py": FACTORY, "below.py": below})
    assert not outcome.changes
    assert all("by position" in refusal.reason or "owner" in refusal.reason for refusal in outcome.refused)


def test_in_a_model_of_pydantic(tmp_path: Path) -> None:
    model = """
        from pydantic import BaseModel


        class Metrics(BaseModel):
            created: int
            name: str


        def use(metrics: Metrics) -> None:
            metrics.tags.append("x")
            metrics.label.upper()
        """
    outcome = _fixed(tmp_path, {"model.py": model})
    assert '    name: str\n    label: str = ""\n    tags: list = []\n' in outcome.changes["model.py"].decode()


def test_a_slip_is_not_made_a_field(tmp_path: Path) -> None:
    use = """
        from metrics import FactoryMetrics


        def use(metrics: FactoryMetrics) -> int:
            return metrics.cleanup_cuont
        """
    assert not _fixed(tmp_path, {"metrics.py": METRICS, "use.py": use}).changes
