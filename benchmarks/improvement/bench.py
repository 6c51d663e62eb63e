"""Carries out cells: records, trains, evaluates, and keeps each result as soon as it is there.

<out>/<setting>/seed<n>/            a data directory: episodes, checkpoints, database
<out>/<setting>/seed<n>/results/    one JSON file a cell; a cell with one is done
"""

import json
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np

from backend.control import ActingPolicy, Arm
from backend.domain import Outcome
from backend.episodes.files import write_json
from backend.learning.checkpoints import checkpoint_steps, step_folder
from backend.learning.models import load_models
from backend.robots.experts import ClumsyExpert, make_expert
from benchmarks.improvement.cells import Cell
from benchmarks.improvement.demonstrators import HaltingHand
from benchmarks.improvement.learning import load_episodes, patient, successes, train
from benchmarks.improvement.measures import Rate, judge_critic, per_hour
from benchmarks.improvement.operators import Oracle, OracleRules
from benchmarks.improvement.setting import Setting
from benchmarks.improvement.station import Attempted, Station, SwiftClock

# When the first attempt is said to have happened, Unix time, and how far apart cells are, seconds.
BEGAN_S = 1_760_000_000.0
APART_S = 100_000.0
# Scenes of evaluations are of other seeds than any that was learned from.
EVALUATION_SCENES = 900_000
# Attempts of an evaluation that the critic is judged on.
JUDGED_ATTEMPTS = 60


class Bench:
    """One setting and one seed."""

    def __init__(
        self,
        setting: Setting,
        cells: Sequence[Cell],
        *,
        seed: int,
        out: Path,
        told: Callable[[str], None],
    ) -> None:
        """Prepare; nothing is done yet.

        Args:
            setting: What decides the results besides the seed.
            cells: Each after what it needs.
            seed: Of everything random.
            out: Where all settings are kept.
            told: Gets a line of progress now and then.
        """
        self._setting = setting
        self._seed = seed
        self.data_dir = out / setting.name / f"seed{seed}"
        self._told = told
        self._cells = {cell.name: cell for cell in cells}

    def run(self, wanted: str | None = None) -> None:
        """Do every cell that has no result yet, or cell `wanted` and what it needs.

        Raises:
            ValueError: There is no cell `wanted`.
        """
        if wanted is not None and wanted not in self._cells:
            raise ValueError(f"no cell {wanted!r}; there are {', '.join(self._cells)}")
        for cell in self._cells.values() if wanted is None else self._with_needs(wanted):
            if self._result_path(cell).is_file():
                continue
            began_s = time.monotonic()
            result = self._record(cell) if cell.kind == "record" else self._train(cell)
            result["minutes"] = round((time.monotonic() - began_s) / 60, 1)
            self._result_path(cell).parent.mkdir(parents=True, exist_ok=True)
            write_json(self._result_path(cell), result)
            self._say(cell, f"done in {result['minutes']} minutes: {_in_short(result)}")

    def _with_needs(self, name: str) -> list[Cell]:
        cell = self._cells[name]
        before = [other for need in cell.needs for other in self._with_needs(need)]
        return list(dict.fromkeys([*before, cell]))

    def _record(self, cell: Cell) -> dict[str, Any]:
        setting = self._setting
        if cell.driver is None:
            attempts = self._attempt(
                cell,
                setting.demonstrations,
                make_policy=self._demonstrator(cell),
                rules=OracleRules(limit_s=setting.demonstration_limit_s or setting.limit_s),
                data_dir=self.data_dir,
                scenes=self._seed,
            )
        else:
            attempts = self._attempt(
                cell,
                setting.attempts,
                make_policy=self._checkpoint(cell.driver, cell),
                rules=OracleRules(
                    limit_s=setting.limit_s,
                    helps_share=setting.helps_share,
                    stuck_s=setting.stuck_s,
                ),
                data_dir=self.data_dir,
                scenes=crc32(f"{cell.name} {self._seed} scenes".encode()),
            )
        return {
            "kind": "record",
            "attempts": [asdict(attempt) for attempt in attempts],
            **_counts(attempts),
        }

    def _train(self, cell: Cell) -> dict[str, Any]:
        setting = self._setting
        ids = [
            attempt["episode_id"]
            for name in cell.recordings
            for attempt in self.result(name)["attempts"]
        ]
        episodes = load_episodes(self.data_dir, ids)
        if cell.method in ("untrained", "demos", "successes"):
            episodes = successes(episodes)
        run = self.data_dir / "checkpoints" / cell.name
        start = None if cell.start is None else self._folder(cell.start)
        config = setting.learner_config(cell.method, seed=self._seed, start=start)
        last = config.schedule.total_steps
        # A run that was killed on the way is made again; one that was killed while it was
        # evaluated need not be.
        if last not in checkpoint_steps(run):
            shutil.rmtree(run, ignore_errors=True)
            train(config, episodes, run, told=lambda line: self._say(cell, line))
        checkpoint = step_folder(run, last)
        return {
            "kind": "train",
            "method": cell.method,
            "episodes": len(episodes),
            "steps": sum(len(episode) for episode in episodes),
            "checkpoint": f"{cell.name}/{checkpoint.name}",
            **self._evaluate(cell, checkpoint),
        }

    def _evaluate(self, cell: Cell, checkpoint: Path) -> dict[str, Any]:
        """Attempts on starts that are the same for every method and were never learned from."""
        setting, config = self._setting, self._setting.robot_config()
        aside = self.data_dir / "evaluations" / cell.name
        shutil.rmtree(aside, ignore_errors=True)
        attempts = self._attempt(
            cell,
            setting.evaluations,
            make_policy=patient(
                checkpoint, task=config.task, replan=setting.replan, seed=self._seed
            ),
            rules=OracleRules(limit_s=setting.limit_s),
            data_dir=aside,
            scenes=EVALUATION_SCENES + self._seed,
        )
        critic = judge_critic(
            load_models(checkpoint, device="cpu"),
            load_episodes(aside, [a.episode_id for a in attempts[:JUDGED_ATTEMPTS]]),
            seed=self._seed,
        )
        shutil.rmtree(aside)
        return {**_counts(attempts), **self._measured(attempts), "critic": critic}

    def _measured(self, attempts: list[Attempted]) -> dict[str, Any]:
        config = self._setting.robot_config()
        rate = Rate(hits=_num_successes(attempts), trials=len(attempts))
        return {
            "success": round(rate.share, 4),
            "interval_95": [round(bound, 4) for bound in rate.interval],
            "successes_per_hour": round(
                per_hour(
                    rate.hits,
                    [attempt.num_steps for attempt in attempts],
                    fps=config.fps,
                    reset_s=config.reset.time_s,
                ),
                1,
            ),
        }

    def _attempt(
        self,
        cell: Cell,
        count: int,
        *,
        make_policy: Callable[[Arm], ActingPolicy],
        rules: OracleRules,
        data_dir: Path,
        scenes: int,
    ) -> list[Attempted]:
        config = self._setting.robot_config()
        attempts = []
        number = list(self._cells).index(cell.name)
        with Station(
            config,
            make_policy=make_policy,
            operator=Oracle(rules, fps=config.fps, rng=self._rng(cell, "oracle")),
            operator_name="oracle",
            data_dir=data_dir,
            seed=scenes,
            clock=SwiftClock(wall_s=BEGAN_S + APART_S * number),
        ) as station:
            for index in range(count):
                attempts.append(station.attempt(index))
                if len(attempts) % 20 == 0:
                    self._say(cell, f"{len(attempts)} of {count} attempts: {_counts(attempts)}")
        return attempts

    def _demonstrator(self, cell: Cell) -> Callable[[Arm], ActingPolicy]:
        setting, config = self._setting, self._setting.robot_config()
        slipping, halting = self._rng(cell, "slips"), self._rng(cell, "halts")

        def make(arm: Arm) -> ActingPolicy:
            expert = make_expert(config, arm)
            clumsy = ClumsyExpert(expert, fps=config.fps, slips=setting.slips, rng=slipping)
            if setting.halts is None:
                return clumsy
            return HaltingHand(clumsy, fps=config.fps, halts=setting.halts, rng=halting)

        return make

    def _checkpoint(self, driver: str, cell: Cell) -> Callable[[Arm], ActingPolicy]:
        return patient(
            self._folder(driver),
            task=self._setting.robot_config().task,
            replan=self._setting.replan,
            seed=crc32(f"{cell.name} {self._seed}".encode()),
        )

    def _folder(self, cell: str) -> Path:
        """Where the checkpoint of a trained cell is."""
        return self.data_dir / "checkpoints" / str(self.result(cell)["checkpoint"])

    def result(self, name: str) -> dict[str, Any]:
        """The result of a cell that is done."""
        content: dict[str, Any] = json.loads(
            self._result_path(self._cells[name]).read_text(encoding="utf-8")
        )
        return content

    def _result_path(self, cell: Cell) -> Path:
        return self.data_dir / "results" / f"{cell.name}.json"

    def _rng(self, cell: Cell, purpose: str) -> np.random.Generator:
        return np.random.default_rng([self._seed, crc32(f"{cell.name} {purpose}".encode())])

    def _say(self, cell: Cell, line: str) -> None:
        self._told(f"{self._setting.name} seed {self._seed} {cell.name}: {line}")


def _counts(attempts: list[Attempted]) -> dict[str, int]:
    return {
        "num_attempts": len(attempts),
        "num_successes": _num_successes(attempts),
        "num_helped": sum(attempt.num_human_steps > 0 for attempt in attempts),
        "num_steps": sum(attempt.num_steps for attempt in attempts),
    }


def _num_successes(attempts: list[Attempted]) -> int:
    return sum(attempt.outcome is Outcome.SUCCESS for attempt in attempts)


def _in_short(result: dict[str, Any]) -> str:
    return ", ".join(
        f"{name} {value}" for name, value in result.items() if name not in ("attempts", "kind")
    )
