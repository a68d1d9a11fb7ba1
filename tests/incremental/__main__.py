"""Judges every variation of every case in both ways, and prints where they differ.

python -m tests.incremental [LETTERS OF A CODE]
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from contextlib import closing
from pathlib import Path

from guard.cache import Cache
from tests.incremental.test_quick import variations
from tests.incremental.trees import commits, compare, differences


def main(letters: str = "") -> int:
    """The number of variations that are told in another way than two whole runs tell them."""
    pairs = [pair for pair in variations() if pair.name.startswith(letters)]
    whys: Counter[str] = Counter()
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        git, ids = commits(Path(folder) / "pairs.git", [tree for pair in pairs for tree in (pair.before, pair.now)])
        with closing(Cache(Path(folder) / "cache.db")) as cache:
            for pair, before, now in zip(pairs, ids[::2], ids[1::2], strict=True):
                compared = compare(git, before, now, cache)
                whys[compared.outcome.why.rpartition(": ")[2] or "(told)"] += 1
                if found := differences(compared):
                    wrong += 1
                    print(pair.name, *found, sep="\n    ")
    print(*(f"{number:6} {why}" for why, number in whys.most_common()), sep="\n")
    return wrong


if __name__ == "__main__":
    sys.exit(bool(main(*sys.argv[1:])))
