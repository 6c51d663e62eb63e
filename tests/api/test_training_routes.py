"""What a training could be made of, and how one labels, over REST."""

import dataclasses

import numpy as np
import pytest

from backend.domain import Outcome
from backend.jobs.label_file import LabelTable, rethreshold, write_label_table
from backend.learning.config import LearnerConfig, WordConfig
from backend.learning.config_files import config_from_dict
from tests.api.made_by_training import make_train_job
from tests.episodes.episode_fixtures import make_header, record


@pytest.fixture
def server(server):
    server.backend.jobs.close()
    return server


@pytest.fixture
def episodes(server, settings):
    record(settings.data_dir / "episodes", make_header("won"))
    record(settings.data_dir / "episodes", make_header("won2"))
    record(settings.data_dir / "episodes", make_header("lost"), outcome=Outcome.FAILURE)
    record(settings.data_dir / "episodes", make_header("open"), outcome=Outcome.NONE)
    server.reconcile()


def preview(api, **params):
    return api.post("/api/training/preview", json={"params": params})


def test_presets_come_with_their_meaning_and_every_field_with_its_kind(api):
    listed = api.get("/api/training/presets").json()

    presets = {preset["name"]: preset for preset in listed["items"]}
    assert {"seed", "recap", "debug"} <= presets.keys()
    assert "every stage" in presets["debug"]["about"]
    assert presets["debug"]["total_steps"] == 4
    for preset in presets.values():
        assert config_from_dict(preset["config"]), preset["name"]
    fields = {field["name"]: field for field in listed["fields"]}
    tops = {name.partition(".")[0] for name in fields}
    assert tops == {field.name for field in dataclasses.fields(LearnerConfig)}
    assert fields["critic.kind"]["choices"] == ["scalar", "distributional"]
    assert fields["words.positive_fraction"]["kind"] == "number"
    assert "share of the chunks" in fields["words.positive_fraction"]["about"]
    depth = fields["critic.depth"]
    assert depth["kind"] == "integer"
    assert depth["optional"]
    assert depth["about"].startswith("Gemma layers copied from the actor's language model; None:")


def test_a_source_is_counted_by_outcome_before_anything_starts(episodes, api):
    sources = api.get("/api/training/sources").json()["items"]

    assert sources == [
        {
            "kind": "store",
            "repo_id": "",
            "outcomes": {"success": 2, "failure": 1, "none": 1},
            "num_steps": 100,
            "problem": "",
        }
    ]


def test_a_dataset_that_cannot_be_read_is_listed_with_the_reason(api, settings):
    meta = settings.data_dir / "datasets/local/old/meta"
    meta.mkdir(parents=True)
    (meta / "info.json").write_text('{"codebase_version": "v2.1"}')

    sources = api.get("/api/training/sources").json()["items"]

    assert sources[1]["repo_id"] == "local/old"
    assert "v2.1" in sources[1]["problem"]


def test_a_preview_counts_warns_and_shows_the_whole_config(episodes, api):
    shown = preview(api, preset="debug", steps=10, overrides={"optimizer.batch_size": 3}).json()

    assert shown["problem"] == ""
    assert shown["total_steps"] == 10
    assert shown["config"]["optimizer"]["batch_size"] == 3
    assert shown["episodes"] == 4
    assert shown["sources"][0]["outcomes"] == {"success": 2, "failure": 1, "none": 1}
    assert shown["sources"][0]["share"] == 1
    assert any("Only 3 judged" in warning for warning in shown["warnings"])
    assert api.get("/api/jobs").json()["total"] == 0


def test_a_start_from_nothing_changes_what_the_preset_says(episodes, api):
    shown = preview(api, preset="recap", start="tiny").json()

    assert shown["config"]["model"]["size"] == "tiny"
    assert not shown["needs_hub"]


def test_a_training_without_data_can_be_looked_at_but_says_why_it_cannot_start(api):
    shown = preview(api, preset="debug").json()

    assert "no episode to learn from" in shown["problem"]
    assert shown["config"]["model"]["size"] == "tiny"


def test_a_dataset_on_the_hub_is_named_as_not_counted(episodes, api):
    sources = [{"kind": "store"}, {"kind": "dataset", "repo_id": "lerobot/pusht"}]

    shown = preview(api, preset="debug", sources=sources).json()

    assert shown["not_counted"] == ["lerobot/pusht"]
    assert shown["needs_hub"]
    assert shown["episodes"] == 4


@pytest.mark.parametrize(
    ("params", "named"),
    [
        ({"preset": "recpa"}, "recap"),
        ({"overrides": {"optimizer.batchsize": 3}}, "batch_size"),
        ({"start": "touch/000500"}, "touch/000500"),
        ({"surprise": 1}, "surprise"),
        ({"sources": [{"kind": "store", "share": 2}]}, "share"),
    ],
)
def test_params_that_make_no_sense_are_refused_by_name(api, params, named):
    response = preview(api, **params)

    assert response.status_code == 422
    assert response.json()["error"]["code"] == "params"
    assert named in response.json()["error"]["message"]


# -- advantages


def table(**changes):
    rng = np.random.default_rng(0)
    n = 4000
    fields = {
        "values": rng.uniform(-1, 0, n).astype(np.float32),
        "returns": np.full(n, -0.5, np.float32),
        "advantages": rng.normal(0, 0.1, n).astype(np.float32),
        "forced": rng.random(n) < 0.25,
        "worst": np.zeros(n, dtype=bool),
        "task": rng.integers(0, 2, n),
        "source": rng.integers(0, 2, n),
        "tasks": ("lift", "touch"),
        "sources": ("recorded episodes", "local/demos"),
        "thresholds": {"lift": 0.05, "touch": 0.08},
        "words": WordConfig(mode="two"),
        "step": 2,
    }
    return LabelTable(**{**fields, **changes})


def advantages(server, api, made):
    folder = make_train_job(server)
    write_label_table(folder / "labels.npz", made)
    return api.get("/api/jobs/job1/advantages").json()


def test_a_training_that_labelled_nothing_yet_says_when_it_will(server, api):
    make_train_job(server)

    response = api.get("/api/jobs/job1/advantages")

    assert response.status_code == 409
    assert response.json()["error"]["code"] == "not_labelled"


def test_a_threshold_on_an_edge_of_the_bins_counts_exactly(server, api):
    made = table()
    shown = advantages(server, api, made)
    edges = np.array(shown["bin_edges"])
    cut = int(np.searchsorted(edges, 0.1))

    best = sum(sum(group["counts"][cut:]) + group["num_forced"] for group in shown["groups"])
    truth = rethreshold(made, thresholds={"lift": float(edges[cut]), "touch": float(edges[cut])})

    assert best / 4000 == pytest.approx(truth.positive)
    assert edges[0] < made.advantages.min() or sum(g["counts"][0] for g in shown["groups"]) > 0


def test_positive_shares_in_force_are_those_of_the_words(server, api):
    made = table()
    shown = advantages(server, api, made)

    best = sum(group["num_best"] for group in shown["groups"] if group["task"] == "lift")
    steps = int((made.task == 0).sum())

    assert best / steps == pytest.approx(rethreshold(made).positive_by_task["lift"])
    assert shown["thresholds"] == pytest.approx({"lift": 0.05, "touch": 0.08})
    assert len(shown["groups"]) == 4


def test_what_precedes_a_takeover_is_negative_in_the_histogram_too(server, api):
    forced = table().forced
    made = table(worst=~forced & (np.arange(4000) % 5 == 0))
    shown = advantages(server, api, made)
    best = sum(group["num_best"] for group in shown["groups"])
    settled = sum(group["num_forced"] + group["num_worst"] for group in shown["groups"])

    assert best / 4000 == pytest.approx(rethreshold(made).positive)
    assert best < sum(g["num_best"] for g in advantages_again(server, api, table())["groups"])
    assert settled + sum(sum(group["counts"]) for group in shown["groups"]) == 4000


def advantages_again(server, api, made):
    write_label_table(server.backend.settings.data_dir / "jobs" / "job1" / "labels.npz", made)
    return api.get("/api/jobs/job1/advantages").json()


def test_five_words_come_with_their_edges(server, api):
    shown = advantages(server, api, table(words=WordConfig(mode="five"), thresholds={}))

    assert shown["words"][-1] == "very positive"
    assert shown["word_edges"] == pytest.approx([-0.1758, -0.0678, 0.0678, 0.1758], abs=1e-4)


def test_calibration_says_what_came_of_the_values(server, api):
    returns = np.full(4000, np.nan, np.float32)
    returns[:100] = -0.5
    shown = advantages(server, api, table(returns=returns))

    assert sum(point["count"] for point in shown["calibration"]) == 100
    assert {point["returned"] for point in shown["calibration"]} == {-0.5}


def test_a_table_of_infinite_thresholds_is_still_shown(server, api):
    made = table(thresholds={"lift": np.inf, "touch": np.inf}, forced=np.ones(4000, bool))

    shown = advantages(server, api, made)

    assert shown["thresholds"] == {}
    assert sum(group["num_best"] for group in shown["groups"]) == 4000
