"""Does learning from graded attempts and interventions beat imitation? Numbers of a simulator.

    python -m benchmarks.improvement                       the whole table, resumable at any time
    python -m benchmarks.improvement --quick               every cell in little, numbers meaningless
    python -m benchmarks.improvement --cell recap1 --seeds 0     one cell and what it needs
    python -m benchmarks.improvement --report              what is done so far, nothing is run

A clumsy scripted expert gives demonstrations. A policy that imitates them makes attempts, graded
by the simulator's verdict and sometimes rescued by an oracle (`operators.py`). On all of that the
presets `seed` and `recap` learn, beside imitation of the demonstrations and of every success; all
make as many updates, and all are judged on the same starts, which nobody learned from
(`cells.py`, `setting.py`). Everything is recorded through the product's own actor (`station.py`).

Prints JSON, and a table for people to standard error. A cell that is done is not done again, so it
may be killed and started again at will. Needs no GPU: two seeds at a time, each with one thread.
"""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from benchmarks.improvement.setting import SETTINGS, quick
from benchmarks.improvement.table import collect_results, markdown, summarise
from benchmarks.improvement.workers import work_through


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.improvement",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--setting", default="pauses", choices=sorted(SETTINGS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--out", type=Path, default=Path("artifacts/improvement"))
    parser.add_argument("--cell", help="only this cell, and those that it needs")
    parser.add_argument("--quick", action="store_true", help="the smallest run through all cells")
    parser.add_argument("--report", action="store_true", help="run nothing, print what is done")
    parser.add_argument("--workers", type=int, default=2, help="seeds at a time")
    parser.add_argument("--threads", type=int, default=1, help="of torch, in each worker")
    args = parser.parse_args()
    setting = quick(SETTINGS[args.setting]) if args.quick else SETTINGS[args.setting]
    out = args.out.absolute()
    if not args.report:
        orders = [(setting, seed, out, args.cell, args.threads) for seed in args.seeds]
        work_through(orders, workers=args.workers)
    results = collect_results(setting, args.seeds, out)
    rows = summarise(results)
    print(markdown(rows), file=sys.stderr)
    print(json.dumps({"setting": asdict(setting), "rows": rows, "cells": results}, indent=2))


if __name__ == "__main__":
    main()
