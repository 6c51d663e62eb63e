"""What the cells say together: per method over all seeds, as JSON and as a Markdown table."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.improvement.cells import cells_of
from benchmarks.improvement.measures import Rate
from benchmarks.improvement.setting import Setting

CRITIC = ("spearman", "auc", "conditioning_accuracy", "conditioning_gap")


def collect_results(
    setting: Setting, seeds: Sequence[int], out: Path
) -> dict[str, dict[int, dict[str, Any]]]:
    """Return what is done so far: cell name to seed to result."""
    found: dict[str, dict[int, dict[str, Any]]] = {}
    for cell in cells_of(setting):
        for seed in seeds:
            path = out / setting.name / f"seed{seed}" / "results" / f"{cell.name}.json"
            if path.is_file():
                result = json.loads(path.read_text(encoding="utf-8"))
                result.pop("attempts", None)
                found.setdefault(cell.name, {})[seed] = result
    return found


def summarise(results: dict[str, dict[int, dict[str, Any]]]) -> list[dict[str, Any]]:
    """Return a row for each trained cell: seeds pooled, and each seed's own rate.

    The pooled interval takes all attempts as independent; how far seeds lie apart stands beside it.
    """
    rows = []
    for name, by_seed in results.items():
        trained = {seed: r for seed, r in by_seed.items() if r["kind"] == "train"}
        if not trained:
            continue
        rate = Rate(
            hits=sum(r["num_successes"] for r in trained.values()),
            trials=sum(r["num_attempts"] for r in trained.values()),
        )
        rows.append(
            {
                "cell": name,
                "method": next(iter(trained.values()))["method"],
                "seeds": len(trained),
                "success": round(rate.share, 4),
                "interval_95": [round(bound, 4) for bound in rate.interval],
                "by_seed": {str(seed): r["success"] for seed, r in trained.items()},
                "successes_per_hour": round(_mean(trained, "successes_per_hour"), 1),
                "train_minutes": round(_mean(trained, "minutes"), 1),
                **{
                    measure: round(
                        float(np.mean([r["critic"][measure] for r in trained.values()])), 3
                    )
                    for measure in CRITIC
                    if all(measure in r["critic"] for r in trained.values())
                },
            }
        )
    return rows


def markdown(rows: Sequence[dict[str, Any]]) -> str:
    """Return the rows as a table for people."""
    lines = [
        "| policy | success | 95 % | each seed | successes an hour | Spearman | AUC | gap |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        low, high = row["interval_95"]
        seeds = ", ".join(f"{share:.0%}" for share in row["by_seed"].values())
        lines.append(
            f"| {row['cell']} | {row['success']:.0%} | {low:.0%}–{high:.0%} | {seeds} "
            f"| {row['successes_per_hour']:.0f} | {_number(row, 'spearman')} "
            f"| {_number(row, 'auc')} | {_number(row, 'conditioning_gap')} |"
        )
    return "\n".join(lines)


def _number(row: dict[str, Any], name: str) -> str:
    value = row.get(name, math.nan)
    return "" if math.isnan(value) else f"{value:.2f}"


def _mean(results: dict[int, dict[str, Any]], name: str) -> float:
    return float(np.mean([result[name] for result in results.values()]))
