"""Datasets from the command line, with the real jobs for what needs no LeRobot."""

import json

import pytest

from backend.__main__ import main
from tests.jobs.train_fixtures import prepared, write_dataset

WON = [0.0] * 11 + [1.0] + [0.0] * 9


@pytest.fixture
def data_dir(tmp_path):
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    prepared(data_dir).close()
    write_dataset(tmp_path / "elsewhere/set", columns={"next.reward": WON})
    return data_dir


@pytest.fixture
def run(data_dir, capsys):
    def run(*words, code=0):
        assert main(["--data-dir", str(data_dir), "--author", "ana", *words, "--json"]) == code
        return json.loads(capsys.readouterr().out)

    return run


def test_a_folder_is_looked_at_imported_once_and_listed_as_episodes(run, data_dir):
    folder = str(data_dir.parent / "elsewhere/set")

    dry = run("import", folder, "--dry-run")
    assert (dry["repo_id"], dry["episodes"]) == ("elsewhere/set", 2)
    job = run("import", folder)
    assert job["state"] == "done"
    assert job["result"]["outcomes"] == {"success": 1, "failure": 1}
    assert run("import", folder, "--dry-run")["episodes"] == 0
    episodes = run("episodes")["items"]
    assert sorted(e["id"] for e in episodes) == sorted(job["result"]["episode_ids"])
    assert {e["outcome"] for e in episodes} == {"success", "failure"}


def test_health_is_told_worst_first_and_datasets_are_listed(run, data_dir, capsys):
    write_dataset(data_dir / "datasets/local/a")
    listed = run("datasets")
    assert [each["repo_id"] for each in listed["items"]] == ["local/a"]

    assert main(["--data-dir", str(data_dir), "health", "local/a"]) == 0

    said = capsys.readouterr().out
    assert "broken: meta/tasks.parquet is missing" in said
    assert said.index("broken:") < said.index("note: Nothing says how its episodes ended")


def test_a_push_is_previewed_without_a_token_and_refused_without_one(run, data_dir, monkeypatch):
    monkeypatch.delenv("HF_TOKEN", raising=False)
    write_dataset(data_dir / "datasets/local/a")

    dry = run("push", "local/a", "--to", "ana/touch", "--dry-run")
    assert dry["private"] is True
    refused = run("push", "local/a", "--to", "ana/touch", code=1)
    assert "HF_TOKEN is not set" in refused["error"]["message"]
    wrong = run("push", "local/a", "--to", "touch", "--dry-run", code=1)
    assert wrong["error"]["code"] == "push_params"


def test_a_dataset_that_is_nowhere_is_refused_with_the_remedy(run):
    refused = run("import", "local/nowhere", code=1)

    assert '"hub": true' in refused["error"]["message"]
