import numpy as np
import pytest

from backend.db.models import DatasetRow, EpisodeRow, JobRow
from backend.domain import EpisodeState, Outcome
from backend.episodes.format import CameraSize
from backend.episodes.labels import LabelKind
from backend.episodes.outcomes import OUTCOME_COLUMNS, outcome_columns
from backend.intake import reconcile
from backend.jobs.export_params import ExportParamsError, check, read_params
from backend.jobs.export_plan import make_plan, record
from backend.review import add_label
from tests.episodes import episode_fixtures
from tests.episodes.episode_fixtures import STARTED_S, make_header
from tests.episodes.test_recovery import leave_unfinished


@pytest.fixture
def data_dir(database, tmp_path):
    episodes = tmp_path / "episodes"
    for position, (id, outcome) in enumerate(
        [("won", Outcome.SUCCESS), ("lost", Outcome.FAILURE), ("open", Outcome.NONE)]
    ):
        header = make_header(id, started_s=STARTED_S + position * 60)
        episode_fixtures.record(episodes, header, num_steps=10 + position, outcome=outcome)
    reconcile(database, tmp_path)
    return tmp_path


def plan_of(database, data_dir, **params):
    with database.read() as db:
        return make_plan(db, data_dir, read_params({"repo_id": "local/touch", **params}))


def ids(plan):
    return [episode.header.id for episode in plan.episodes]


def test_everything_is_planned_oldest_first_with_the_labels_in_force(database, data_dir):
    plan = plan_of(database, data_dir)

    assert ids(plan) == ["won", "lost", "open"]
    assert plan.summary() == {
        "repo_id": "local/touch",
        "episodes": 3,
        "frames": 33,
        "bytes": plan.num_bytes,
        "fps": 10.0,
        "robot_type": "sim_so_follower",
        "tasks": ["Touch the red cube"],
        "columns": [
            "observation.state",
            "observation.images.overhead",
            "observation.images.wrist",
            "action",
            *OUTCOME_COLUMNS,
        ],
        "ranges": {},
        "frames_behind_end": 0,
        "reward_scheme": "sparse",
        "outcomes": {"success": 1, "failure": 1, "none": 1},
        "unlabeled": ["open"],
        "skipped": [],
        "label_revision": 2,
    }
    assert plan.num_bytes > 1000


def test_a_later_label_changes_what_is_exported(database, data_dir):
    with database.write() as db:
        add_label(
            db,
            episode_id="lost",
            kind=LabelKind.OUTCOME,
            new={"outcome": "success"},
            author="ben",
            source="review",
            created_s=1.0,
            event_id="l1",
        )

    plan = plan_of(database, data_dir, episodes={"outcome": "success"})

    assert ids(plan) == ["won", "lost"]
    assert plan.label_revision == 3
    unlabeled = {"flag": "unlabeled", "task": "Touch the red cube", "min_human": 0.1}
    assert ids(plan_of(database, data_dir, episodes=unlabeled)) == ["open"]


def test_every_episode_that_is_left_out_is_named_with_the_reason(database, data_dir):
    episodes = data_dir / "episodes"
    leave_unfinished(episodes, "torn")
    episode_fixtures.record(episodes, make_header("empty"), num_steps=0, outcome=Outcome.NONE)
    episode_fixtures.record(episodes, make_header("slow", fps=9.5), num_steps=3)
    small = {"overhead": CameraSize(width=32, height=32)}
    episode_fixtures.record(episodes, make_header("other", cameras=small), num_steps=3)
    reconcile(database, data_dir)
    with database.write() as db:
        add_label(
            db,
            episode_id="lost",
            kind=LabelKind.EXCLUDE,
            new={"excluded": True, "reason": "camera slipped"},
            author="ben",
            source="review",
            created_s=1.0,
            event_id="l1",
        )
    (episodes / "open" / "header.json").unlink()

    plan = plan_of(database, data_dir)

    assert ids(plan) == ["won"]
    assert plan.skipped.pop("other").startswith("is of another robot (sim_so_follower, 10 Hz, over")
    assert plan.skipped.pop("open").startswith("cannot be read")
    assert plan.skipped == {
        "torn": "unfinished: recover it first",
        "empty": "has no steps",
        "slow": "was recorded at 9.5 Hz; LeRobot datasets have whole frames a second",
        "lost": "excluded: camera slipped",
    }


def test_episodes_chosen_by_id_must_exist_and_discarded_ones_are_skipped(database, data_dir):
    assert ids(plan_of(database, data_dir, episodes=["open", "won"])) == ["won", "open"]
    with pytest.raises(ExportParamsError, match="no episode nobody"):
        plan_of(database, data_dir, episodes=["won", "nobody"])
    with database.write() as db:
        db.get(EpisodeRow, "open").state = EpisodeState.DISCARDED.value

    plan = plan_of(database, data_dir, episodes=["open", "won"])

    assert (ids(plan), plan.skipped) == (["won"], {"open": "discarded"})


@pytest.mark.parametrize(
    ("params", "why"),
    [
        ({}, "repo_id is two names with a slash"),
        ({"repo_id": "touch"}, "got 'touch'"),
        ({"repo_id": "../touch"}, "got '../touch'"),
        ({"repo_id": "local/../x"}, "got 'local/../x'"),
        ({"repo_id": "a/b", "episode": "all"}, "got episode too"),
        ({"repo_id": "a/b", "episodes": "some"}, '"all", a list of ids, or a filter'),
        ({"repo_id": "a/b", "episodes": []}, "a list of episode ids"),
        ({"repo_id": "a/b", "episodes": {"outcome": "maybe"}}, "success, failure, none"),
        ({"repo_id": "a/b", "episodes": {"colour": "red"}}, "outcome, q, session_id"),
        ({"repo_id": "a/b", "episodes": {"q": 5}}, "are texts"),
        ({"repo_id": "a/b", "episodes": {"flag": "good"}}, "unlabeled, disagree, human"),
        ({"repo_id": "a/b", "episodes": {"min_human": "all"}}, "from 0 to 1, got 'all'"),
        ({"repo_id": "a/b", "columns": ["action"]}, "next.reward, next.done"),
        ({"repo_id": "a/b", "overwrite": "yes"}, "true or false"),
    ],
)
def test_an_export_that_makes_no_sense_is_refused_by_name(tmp_path, params, why):
    with pytest.raises(ExportParamsError, match=why):
        check(params, tmp_path)


def test_a_dataset_of_that_name_is_only_replaced_when_told_so(tmp_path):
    (tmp_path / "datasets/local/touch").mkdir(parents=True)

    with pytest.raises(ExportParamsError, match='exists already: choose another name, or say "ov'):
        check({"repo_id": "local/touch"}, tmp_path)
    check({"repo_id": "local/touch", "overwrite": True}, tmp_path)


@pytest.mark.parametrize(
    ("outcome", "reward", "truncated"),
    [(Outcome.SUCCESS, 1.0, False), (Outcome.FAILURE, 0.0, False), (Outcome.NONE, 0.0, True)],
)
def test_rewards_follow_from_the_outcome_in_force(outcome, reward, truncated):
    human = np.array([False, True, True, False])

    columns = outcome_columns(human, outcome)

    assert {name: array.dtype for name, array in columns.items()} == OUTCOME_COLUMNS
    assert columns["next.reward"].tolist() == [0, 0, 0, reward]
    assert columns["next.success"].tolist() == [False, False, False, reward == 1]
    assert columns["next.done"].tolist() == [False, False, False, True]
    assert columns["next.truncated"].tolist() == [False, False, False, truncated]
    assert columns["intervention"].tolist() == human.tolist()
    assert columns["complementary_info.is_intervention"].tolist() == [0, 1, 1, 0]


def test_exporting_under_the_same_name_again_keeps_one_row(database):
    result = {
        "repo_id": "local/touch",
        "created_s": 1.0,
        "episodes": 3,
        "frames": 33,
        "size_bytes": 1000,
        "label_revision": 2,
    }
    with database.write() as db:
        for frames in (33, 44):
            record(db, JobRow(id=None, result={**result, "frames": frames}))
            db.flush()

    with database.read() as db:
        (row,) = db.query(DatasetRow).all()
    assert (row.repo_id, row.num_frames) == ("local/touch", 44)
