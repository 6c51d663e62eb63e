"""The improvement benchmark counts right, plans its cells right, and records through the actor."""

import contextlib
import json
import math
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select

from backend.control import Observation
from backend.db.engine import migrate, open_database, sqlite_url
from backend.db.models import EpisodeRow
from backend.domain import Command, Driver, Outcome
from backend.episodes.store import read_end, read_header, read_steps
from backend.intake import reconcile
from backend.robots.experts import make_expert
from benchmarks.improvement import bench as bench_module
from benchmarks.improvement.bench import Bench
from benchmarks.improvement.cells import Cell, cells_of
from benchmarks.improvement.demonstrators import HaltingHand, Halts
from benchmarks.improvement.measures import Rate, per_hour
from benchmarks.improvement.operators import Oracle, OracleRules
from benchmarks.improvement.setting import SETTINGS, quick
from benchmarks.improvement.station import Station, SwiftClock
from benchmarks.improvement.table import collect_results, markdown, summarise

PAUSES = SETTINGS["pauses"]


def test_a_rate_has_wilsons_interval():
    # Newcombe (1998), table I: 81 of 263 by the score method.
    assert Rate(hits=81, trials=263).interval == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert Rate(hits=0, trials=20).interval == pytest.approx((0.0, 0.1611), abs=1e-4)
    with pytest.raises(ValueError, match="no rate"):
        Rate(hits=0, trials=0)


def test_successes_an_hour_count_resets_and_failed_attempts():
    # Two attempts of 3 s and 7 s with 1 s between: 12 s for one success.
    assert per_hour(1, [30, 70], fps=10, reset_s=1) == pytest.approx(300)


@pytest.mark.parametrize("rounds", [1, 3])
def test_every_cell_comes_after_what_it_needs(rounds):
    cells = cells_of(replace(PAUSES, rounds=rounds))

    names = [cell.name for cell in cells]
    for number, cell in enumerate(cells):
        assert set(cell.needs) <= set(names[:number])
    assert {cell.method for cell in cells if cell.kind == "train"} == {
        "untrained",
        "demos",
        "successes",
        "seed",
        "recap",
    }
    last = {cell.name: cell for cell in cells}
    assert last["successes"].recordings == last[f"recap{rounds}"].recordings


def test_all_methods_make_as_many_actor_updates():
    steps = set()
    for method in ("demos", "successes", "seed", "recap"):
        schedule = PAUSES.learner_config(method, seed=3).schedule
        joint = schedule.order == "joint"
        steps.add(schedule.joint_steps if joint else schedule.actor_steps)

    assert steps == {PAUSES.actor_steps}


def seen(*, distance_m: float = 0.1, success: bool = False) -> Observation:
    return Observation(
        state=np.zeros(6, np.float32),
        frames={},
        frame_wall_s={},
        privileged={
            "success": success,
            "tool_pose": np.array([distance_m, 0, 0, 1, 0, 0, 0]),
            "object_pose": np.array([0, 0, 0, 1, 0, 0, 0]),
        },
    )


def oracle(**rules: float) -> Oracle:
    return Oracle(OracleRules(**rules), fps=10, rng=np.random.default_rng(0))


def test_the_oracle_grades_by_the_verdict_and_the_clock():
    judge = oracle(limit_s=2)

    assert judge.look(seen(), step=19, is_human=False) is None
    assert judge.look(seen(), step=20, is_human=False) is Command.FAILURE
    assert judge.look(seen(success=True), step=20, is_human=False) is Command.SUCCESS


def test_the_oracle_takes_over_once_the_arm_makes_no_headway():
    helper = oracle(limit_s=3, helps_share=1, stuck_s=1, rescue_s=5)
    helper.begin(0)

    nearing = [
        helper.look(seen(distance_m=0.2 - 0.01 * step), step=step, is_human=False)
        for step in range(1, 11)
    ]
    stuck = [helper.look(seen(distance_m=0.1), step=step, is_human=False) for step in range(11, 21)]

    assert set(nearing) == {None}
    assert stuck == [None] * 9 + [Command.INTERVENE]
    # From there on it has its own time.
    assert helper.look(seen(), step=60, is_human=True) is None
    assert helper.look(seen(), step=70, is_human=True) is Command.FAILURE


class Counting:
    """Says how often it was asked."""

    name = "counting"
    checkpoint_id = None

    def reset(self):
        self.asked = 0

    def act(self, observation):
        self.asked += 1
        return np.array([self.asked], np.float32)


def test_a_halting_hand_stays_where_it_was_and_goes_on_from_there():
    halts = Halts(every_s=0.5, lasts_s=(0.3, 0.3))
    hand = HaltingHand(Counting(), fps=10, halts=halts, rng=np.random.default_rng(0))

    actions = [float(hand.act(seen())[0]) for _ in range(400)]

    # It repeats itself or takes the next step, and leaves none out.
    steps = np.diff(actions)
    assert set(steps) == {0.0, 1.0}
    # Every halt lasts three steps, however they follow each other.
    moving = np.flatnonzero(steps)
    gaps = np.diff(moving) - 1
    assert set(gaps) <= {0, 3}
    # Half a second of moving between two halts of 0.3 s.
    assert np.mean(steps) == pytest.approx(0.5 / 0.8, abs=0.1)
    hand.reset()
    assert float(hand.act(seen())[0]) == 1.0


def test_halts_need_a_time_between_them():
    with pytest.raises(ValueError, match="above 0"):
        Halts(every_s=0, lasts_s=(0.5, 1.0))


def test_what_was_trained_before_a_kill_is_evaluated_and_not_trained_again(tmp_path, monkeypatch):
    setting = quick(PAUSES)
    cell = Cell(name="demos", kind="train", method="demos")
    steps = setting.learner_config("demos", seed=0).schedule.total_steps
    trained = []

    def train(config, episodes, run, *, told):
        trained.append(run.name)
        (run / f"{steps:06d}" / "pretrained_model").mkdir(parents=True)

    def killed(self, cell, checkpoint):
        raise KeyboardInterrupt

    monkeypatch.setattr(bench_module, "load_episodes", lambda data_dir, ids: [])
    monkeypatch.setattr(bench_module, "train", train)
    monkeypatch.setattr(Bench, "_evaluate", killed)
    bench = Bench(setting, [cell], seed=0, out=tmp_path, told=lambda line: None)
    with pytest.raises(KeyboardInterrupt):
        bench.run()
    monkeypatch.setattr(Bench, "_evaluate", lambda self, cell, checkpoint: {"success": 0.5})
    bench.run()

    assert trained == ["demos"]
    assert bench.result("demos")["checkpoint"] == f"demos/{steps:06d}"


def test_a_station_records_through_the_actor_what_policy_and_oracle_do(tmp_path):
    """The policy does nothing at all: the oracle takes over and touches the cube."""
    config = replace(PAUSES, cameras=()).robot_config()

    class Idler:
        name = "idler"
        checkpoint_id = "run/000001"

        def reset(self):
            pass

        def act(self, observation):
            return None

    rules = OracleRules(limit_s=2, helps_share=1, stuck_s=0.5, rescue_s=8)
    with Station(
        config,
        make_policy=lambda arm: Idler(),
        operator=Oracle(rules, fps=config.fps, rng=np.random.default_rng(0)),
        operator_name="oracle",
        data_dir=tmp_path,
        seed=5,
        clock=SwiftClock(wall_s=1_760_000_000.0),
    ) as station:
        attempts = [station.attempt(number) for number in range(2)]

    assert [attempt.outcome for attempt in attempts] == [Outcome.SUCCESS] * 2
    assert attempts[0].scene_seed != attempts[1].scene_seed
    for attempt in attempts:
        folder = tmp_path / "episodes" / attempt.episode_id
        header, end, steps = read_header(folder), read_end(folder), read_steps(folder)
        assert header.operator == "oracle"
        assert header.checkpoint_id == "run/000001"
        assert end.outcome is Outcome.SUCCESS
        assert len(steps) == attempt.num_steps
        assert steps.is_human.sum() == attempt.num_human_steps > 0
        # Takeover and rescue are one stretch each: the idler first, then the hand.
        assert not steps.is_human[0]
        assert steps.is_human[-1]
    assert Driver.HUMAN == "human"


def test_the_expert_alone_needs_no_help(tmp_path):
    config = replace(PAUSES, cameras=()).robot_config()

    with Station(
        config,
        make_policy=lambda arm: make_expert(config, arm),
        operator=Oracle(
            OracleRules(limit_s=8, helps_share=1), fps=10, rng=np.random.default_rng(0)
        ),
        operator_name="oracle",
        data_dir=tmp_path,
        seed=5,
        clock=SwiftClock(wall_s=0.0),
    ) as station:
        attempt = station.attempt(0)

    assert attempt.outcome is Outcome.SUCCESS
    assert attempt.num_human_steps == 0


def test_a_recording_that_was_killed_can_be_made_again(tmp_path):
    """What the killed one left stays there, and no grade of it is taken for one of the new ones."""
    config = replace(PAUSES, cameras=()).robot_config()
    for _ in range(2):
        with Station(
            config,
            make_policy=lambda arm: make_expert(config, arm),
            operator=Oracle(OracleRules(limit_s=0.3), fps=10, rng=np.random.default_rng(0)),
            operator_name="oracle",
            data_dir=tmp_path,
            seed=5,
            clock=SwiftClock(wall_s=0.0),
        ) as station:
            station.attempt(0)

    migrate(sqlite_url(tmp_path))
    with contextlib.closing(open_database(sqlite_url(tmp_path))) as database:
        reconcile(database, tmp_path)
        with database.read() as db:
            outcomes = list(db.scalars(select(EpisodeRow.outcome)))
    assert outcomes == [Outcome.FAILURE] * 2


def test_results_of_seeds_are_pooled_and_unfinished_cells_left_out(tmp_path):
    setting = quick(PAUSES)
    for seed, hits in ((0, 30), (1, 50)):
        folder = tmp_path / setting.name / f"seed{seed}" / "results"
        folder.mkdir(parents=True)
        (folder / "recap1.json").write_text(
            json.dumps(
                {
                    "kind": "train",
                    "method": "recap",
                    "num_successes": hits,
                    "num_attempts": 100,
                    "success": hits / 100,
                    "successes_per_hour": 100.0,
                    "minutes": 5.0,
                    "critic": {"spearman": 0.5, "auc": math.nan},
                }
            )
        )

    rows = summarise(collect_results(setting, [0, 1, 2], tmp_path))

    assert [row["cell"] for row in rows] == ["recap1"]
    assert rows[0]["success"] == pytest.approx(0.4)
    assert rows[0]["by_seed"] == {"0": 0.3, "1": 0.5}
    assert "| recap1 | 40% | 33%–47% | 30%, 50% | 100 | 0.50 |  |  |" in markdown(rows)


@pytest.mark.parametrize("page", ["README.md", "docs/improvement.md"])
def test_the_table_that_people_read_is_that_of_the_committed_results(page):
    root = Path(__file__).parents[2]
    results = json.loads(
        (root / "benchmarks/improvement/results/pauses.json").read_text(encoding="utf-8")
    )
    by_seed = {
        cell: {int(seed): result for seed, result in found.items()}
        for cell, found in results["cells"].items()
    }

    assert results["rows"] == summarise(by_seed)
    assert markdown(results["rows"]) in (root / page).read_text(encoding="utf-8")
    assert results["setting"] == json.loads(json.dumps(asdict(PAUSES)))
