"""One process a seed, several at a time. Light: torch and MuJoCo are the workers' business."""

import multiprocessing
import os
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from benchmarks.improvement.cells import cells_of
from benchmarks.improvement.setting import Setting

# Setting, seed, where results go, the one cell that is wanted, torch's threads.
Order = tuple[Setting, int, Path, str | None, int]


def work_through(orders: Sequence[Order], *, workers: int) -> None:
    """Do the cells of every order; raises what the first failing one raised."""
    # MuJoCo chooses its way to draw when it is imported; GL and torch do not survive a fork.
    os.environ.setdefault("MUJOCO_GL", "egl")
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        max_workers=workers, mp_context=context, initializer=_end_with_parent
    ) as pool:
        for done in [pool.submit(_work, order) for order in orders]:
            done.result()


def _end_with_parent() -> None:
    """End this worker when its parent is killed: two of them at one seed would spoil it."""
    parent = multiprocessing.parent_process()
    assert parent is not None, "a worker has a parent"

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _work(order: Order) -> None:
    import torch  # noqa: PLC0415

    from benchmarks.improvement.bench import Bench  # noqa: PLC0415

    setting, seed, out, wanted, threads = order
    torch.set_num_threads(threads)
    bench = Bench(
        setting,
        cells_of(setting),
        seed=seed,
        out=out,
        told=lambda line: print(line, file=sys.stderr, flush=True),
    )
    bench.run(wanted)
