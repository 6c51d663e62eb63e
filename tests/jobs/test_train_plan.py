import json

import pytest

from backend.domain import Outcome
from backend.episodes.labels import LabelKind
from backend.jobs.train_config import TrainParamsError
from backend.jobs.train_params import read_train_params
from backend.jobs.train_plan import TrainPlan, make_train_plan
from backend.jobs.train_warnings import SourceCount, warnings_of
from backend.review import add_label
from tests.db.database_fixtures import episode_row
from tests.jobs.train_fixtures import graded, write_dataset

__all__ = ["graded"]


def plan_of(graded, *sources):
    data_dir, database = graded
    params = read_train_params({"preset": "debug", "sources": list(sources)}, data_dir)
    with database.read() as db:
        return make_train_plan(db, params.sources, roots={})


def label(database, episode_id, kind, new):
    with database.write() as db:
        add_label(
            db, episode_id=episode_id, kind=kind, new=new, author="ana", source="review",
            created_s=5.0, event_id=f"{episode_id} {kind} {new}",
        )  # fmt: skip


def test_the_labels_in_force_decide_and_not_those_given_while_driving(graded):
    label(graded[1], "e0", LabelKind.OUTCOME, {"outcome": "success"})
    label(graded[1], "e1", LabelKind.EXCLUDE, {"excluded": True, "reason": "wrong cube"})

    plan = plan_of(graded, {"kind": "store"})

    assert {e.id: e.outcome.value for e in plan.episodes} == {
        "e0": "success",
        "e2": "failure",
        "e3": "success",
    }
    assert plan.skipped == {"e1": "excluded: wrong cube"}
    assert plan.label_revision == 6


def test_sources_without_a_share_divide_the_rest_by_their_steps(graded, tmp_path):
    long = write_dataset(tmp_path / "long", (30,))
    short = write_dataset(tmp_path / "short", (10,))

    plan = plan_of(
        graded,
        {"kind": "store", "share": 0.2},
        {"kind": "dataset", "path": str(long)},
        {"kind": "dataset", "path": str(short)},
    )

    assert plan.shares == pytest.approx((0.2, 0.6, 0.2))


def test_a_source_that_turns_out_empty_leaves_its_share_to_the_others(graded, tmp_path):
    demos = write_dataset(tmp_path / "d")

    plan = plan_of(
        graded,
        {"kind": "store", "share": 0.5, "episodes": {"q": "nobody"}},
        {"kind": "dataset", "path": str(demos)},
    )

    assert plan.shares == (0.0, 1.0)
    assert "recorded episodes is empty" in plan.summary(learns_from_returns=True)["warnings"][1]


def test_an_attempt_that_was_exported_is_learned_from_once(graded, tmp_path):
    exported = write_dataset(tmp_path / "d", episode_ids=["e0", "somewhere else"])

    plan = plan_of(graded, {"kind": "store"}, {"kind": "dataset", "path": str(exported)})

    assert [e.id for e in plan.episodes if e.source == 1] == [f"{exported}#1"]
    assert plan.skipped[f"{exported}#0"] == "is the same attempt as e0"


def test_attempts_of_another_robot_are_left_out_by_name(graded):
    with graded[1].write() as db:
        db.add(episode_row("other", cameras=["front"], num_steps=3, num_human_steps=0, fps=30.0))

    plan = plan_of(graded, {"kind": "store"})

    assert "other" not in [e.id for e in plan.episodes]
    assert "is of another robot (30 Hz, front, 1 joints)" in plan.skipped["other"]


def test_nothing_to_learn_from_says_why(graded):
    with pytest.raises(TrainParamsError, match="there is no episode to learn from: record some"):
        plan_of(graded, {"kind": "store", "episodes": {"outcome": "none"}})
    with pytest.raises(TrainParamsError, match="there is no episode nowhere"):
        plan_of(graded, {"kind": "store", "episodes": ["nowhere"]})


def test_a_plan_that_was_kept_is_the_same_plan(graded, tmp_path):
    demos = write_dataset(tmp_path / "d")
    plan = plan_of(graded, {"kind": "store"}, {"kind": "dataset", "path": str(demos)})

    assert TrainPlan.from_dict(json.loads(json.dumps(plan.to_dict()))) == plan


def source(name, origins, *, share=1.0, steps=1000, human=0):
    outcomes: dict[str, int] = {}
    for counted in origins.values():
        for outcome, number in counted.items():
            outcomes[outcome] = outcomes.get(outcome, 0) + number
    return SourceCount(
        name=name, share=share, outcomes=outcomes, num_steps=steps, num_human_steps=human,
        origins=origins, tasks={},
    )  # fmt: skip


def said(*counts, learns_from_returns=True):
    return " ".join(warnings_of(counts, learns_from_returns=learns_from_returns))


BOTH = {"success": 30, "failure": 30}


def test_a_good_mix_is_not_warned_about():
    assert said(source("a", {"run/000100": BOTH})) == ""


def test_successes_and_failures_from_different_sources_are_warned_about():
    demos = source("demos", {"demos": {"success": 50}}, share=0.5)
    attempts = source("recorded", {"run/000100": {"failure": 20}}, share=0.5)

    assert "successes come from demos and all failures from run/000100" in said(demos, attempts)
    mixed = source("recorded", {"run/000100": {"failure": 20, "success": 1}}, share=0.5)
    assert "tell the sources apart" not in said(demos, mixed)


@pytest.mark.parametrize(
    ("outcomes", "words"),
    [
        ({"success": 20}, "There is no failure"),
        ({"failure": 20}, "There is no success"),
        ({"none": 20}, "Nobody has judged any"),
        ({**BOTH, "none": 5}, "5 of 65 episodes are unjudged"),
        ({"success": 2, "failure": 2}, "Only 4 judged episodes"),
    ],
)
def test_each_lack_has_its_words(outcomes, words):
    assert words in said(source("a", {"p": outcomes}))


def test_unjudged_episodes_are_no_lack_to_a_critic_that_bootstraps():
    assert "unjudged" not in said(
        source("a", {"p": {**BOTH, "none": 5}}), learns_from_returns=False
    )


def test_a_small_source_with_a_large_share_is_warned_about():
    few = source("few", {"p": BOTH}, share=0.5, steps=10)
    many = source("many", {"p": BOTH}, share=0.5, steps=990)

    assert "few has 1.0% of the steps and 50% of the samples" in said(few, many)


def test_steps_driven_by_people_only_are_called_imitation():
    assert "This is imitation" in said(source("a", {"p": BOTH}, human=990))


def test_demonstrations_count_as_successes(graded, tmp_path):
    demos = write_dataset(tmp_path / "d")

    plan = plan_of(graded, {"kind": "dataset", "path": str(demos)})

    assert {e.outcome for e in plan.episodes} == {Outcome.SUCCESS}
    assert all(e.is_demonstration for e in plan.episodes)
