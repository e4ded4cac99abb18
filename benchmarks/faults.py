#!/usr/bin/env python
"""Faults of clusters, disks and files, and what trainings come to after them.

python benchmarks/faults.py
python benchmarks/faults.py --only kills damages --tries 20

Trainings on 100 digits are killed, asked to end, cut off from each other, robbed of space and given
damaged and hostile files. Each goes on as a user would let it, and is then compared with one that
was never interrupted: weights, optimizer, history and result, to the last bit. The table at the end
is Markdown. Nodes are network namespaces, which need root, as small disks do; requeues need a
running Slurm. Those that are not possible are named as skipped.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.append(str(Path(__file__).parent))

import fault_kinds
import fault_nodes
import hostile_files
from fault_runs import Row

FAULTS: dict[str, tuple[Callable[[Path, int, int], list[Row]], int]] = {
    "kills": (fault_kinds.kills, 50),
    "preemptions": (fault_kinds.preemptions, 25),
    "workers": (fault_nodes.workers, 10),
    "nodes": (fault_nodes.nodes, 5),
    "cables": (fault_nodes.cables, 5),
    "requeues": (fault_nodes.requeues, 10),
    "disks": (fault_kinds.disks, 5),
    "damages": (fault_kinds.damages, 20),
    "files": (hostile_files.files, 0),
}
"""Functions, and how many tries they have by default."""


def table(rows: list[Row]) -> str:
    """Markdown."""
    lines = ["| fault | tries | outcome |", "|---|--:|---|"]
    return "\n".join(lines + [f"| {row.fault} | {row.tries} | {row.outcome} |" for row in rows])


def main() -> None:
    """Run the campaign."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=FAULTS, default=list(FAULTS))
    parser.add_argument("--tries", type=int, help="of each; default: those of a whole campaign")
    parser.add_argument("--seed", type=int, default=0, help="of the moments; default: 0")
    args = parser.parse_args()
    rows = []
    for name in args.only:
        function, tries = FAULTS[name]
        start = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="cls_kd_faults_") as folder:
            added = function(Path(folder), args.tries or tries, args.seed)
        print(f"{name}: {time.monotonic() - start:.0f} s", file=sys.stderr)
        print(table(added), file=sys.stderr, flush=True)
        rows += added
    print(table(rows))


if __name__ == "__main__":
    main()
