"""How files in random dialects are read, by seeds of tests/io/test_dialects.py: tests/bench/dialects.py [FIRST LAST].

Prints how many files are read correctly, refused, read otherwise with a note that says so, and misread in silence.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.io.test_dialects import N_GRAPHS, outcome


def main(first=0, last=N_GRAPHS):
    counts = Counter(outcome(seed)[0] for seed in range(first, last))
    print(", ".join(f"{counts[what]:,} {what}" for what in ("right", "refused", "reported", "silent")))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
