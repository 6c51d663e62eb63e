"""What goes to the Hub, and what never does, with a client that only remembers."""

from types import SimpleNamespace
from unittest.mock import create_autospec

import pytest
from huggingface_hub import HfApi

from backend.domain import Role
from backend.jobs import push_params
from backend.jobs.child import JobChild, JobFailedError
from backend.jobs.hub_download import download
from backend.jobs.push import push
from backend.jobs.push_params import PushParamsError, check, make_push_plan, read_push_params
from tests.jobs.train_fixtures import write_dataset, write_orders

TOKEN = "hf_swordfish"


@pytest.fixture
def data_dir(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    write_dataset(tmp_path / "datasets/local/a", episode_ids=["e1", "e2"])
    (tmp_path / "datasets/local/a/data/secret").symlink_to(tmp_path / "handrail.db")
    return tmp_path


@pytest.fixture
def hub():
    client = create_autospec(HfApi, instance=True)
    client.repo_info.return_value = SimpleNamespace(private=True)
    client.list_repo_files.return_value = [".gitattributes", "data/chunk-000/file-009.parquet"]
    client.create_commit.return_value = SimpleNamespace(commit_url="https://hub/commit/1")
    return client


@pytest.fixture
def child_of(data_dir):
    opened = []

    def child_of(kind="push", **params):
        id = f"j{len(opened)}"
        write_orders(data_dir, id, kind, **params)
        opened.append(JobChild(data_dir=data_dir, job_id=id, clock=lambda: 0.0))
        return opened[-1]

    yield child_of
    for child in opened:
        child.close()


def test_tables_and_videos_go_in_one_commit_and_nothing_else(hub, child_of):
    result = push(child_of(repo_id="local/a", to="ana/touch"), client=hub)

    hub.create_repo.assert_called_once_with(
        "ana/touch", repo_type="dataset", private=True, exist_ok=True
    )
    (operations,) = [call.args[1] for call in hub.create_commit.call_args_list]
    paths = [operation.path_in_repo for operation in operations]
    assert "data/chunk-000/file-000.parquet" in paths
    assert "videos/observation.images.wrist/chunk-000/file-000.mp4" in paths
    assert "manifest.json" not in paths
    assert "data/secret" not in paths
    # What an earlier push left goes, and there is a card where there was none.
    assert paths[-2:] == ["README.md", "data/chunk-000/file-009.parquet"]
    hub.create_tag.assert_called_once_with("ana/touch", tag="v3.0", repo_type="dataset")
    assert result["stays_here"] == ["manifest.json"]
    assert result["url"] == "https://huggingface.co/datasets/ana/touch"
    assert result["commit"] == "https://hub/commit/1"


def test_a_private_push_never_ends_in_a_public_repository(hub, child_of):
    hub.repo_info.return_value = SimpleNamespace(private=False)

    with pytest.raises(JobFailedError, match="is there already and public"):
        push(child_of(repo_id="local/a", to="ana/touch"), client=hub)
    hub.preupload_lfs_files.assert_not_called()
    push(child_of(repo_id="local/a", to="ana/touch", private=False), client=hub)
    assert hub.create_commit.called


def test_the_token_is_in_no_message_log_or_file(hub, child_of, data_dir):
    hub.create_commit.side_effect = RuntimeError(f"401 for Bearer {TOKEN}")

    with pytest.raises(JobFailedError, match=r"did not take ana/touch: 401 for Bearer \*\*\*"):
        push(child_of(repo_id="local/a", to="ana/touch"), client=hub)
    written = [f for f in (data_dir / "jobs").rglob("*") if f.is_file()]
    assert written
    assert not [f for f in written if TOKEN in f.read_text()]


@pytest.mark.parametrize(
    ("params", "why"),
    [
        ({"repo_id": "local/a"}, "name on the Hub, your account and a word"),
        ({"repo_id": "local/a", "to": "touch"}, "got 'touch'"),
        ({"repo_id": "local/none", "to": "ana/x"}, "there is no dataset local/none"),
        ({"repo_id": "../a"}, "dataset of the data directory"),
        ({"repo_id": "local/a", "to": "ana/x", "private": "no"}, "true or false"),
        ({"repo_id": "local/a", "to": "ana/x", "token": "t"}, "got token too"),
    ],
)
def test_a_push_that_makes_no_sense_is_refused_by_name(data_dir, params, why):
    with pytest.raises(PushParamsError, match=why):
        check(params, data_dir)


def test_without_a_token_in_the_environment_nothing_is_queued(data_dir, monkeypatch):
    params = {"repo_id": "local/a", "to": "ana/x"}
    check(params, data_dir)
    monkeypatch.delenv("HF_TOKEN")

    with pytest.raises(PushParamsError, match="HF_TOKEN is not set: start the server with"):
        check(params, data_dir)
    assert push_params.role(params) is Role.ADMIN


def test_the_plan_counts_what_would_go(data_dir):
    plan = make_push_plan(read_push_params({"repo_id": "local/a", "to": "ana/x"}, data_dir))

    assert plan.summary()["files"] == 5
    assert plan.summary()["folders"] == ["data", "meta", "videos"]
    assert plan.summary()["private"] is True
    assert plan.num_bytes == sum((plan.params.root / f).stat().st_size for f in plan.files)


def test_a_dataset_of_the_hub_appears_when_all_of_it_is_there(data_dir, child_of, hub):
    root = data_dir / "datasets/ana/far"
    files = [SimpleNamespace(rfilename="meta/info.json", size=2)]
    hub.dataset_info.return_value = SimpleNamespace(siblings=files)

    def fetch(_repo_id, name, *, repo_type, local_dir):
        assert not root.exists()
        path = data_dir / local_dir / name
        path.parent.mkdir(parents=True)
        path.write_text("{}")

    hub.hf_hub_download.side_effect = fetch
    download(child_of("import"), "ana/far", root, api=hub)
    assert (root / "meta/info.json").read_text() == "{}"

    hub.dataset_info.side_effect = RuntimeError("404")
    with pytest.raises(JobFailedError, match=r"cannot be had from the Hub: 404\. Is the name"):
        download(child_of("import"), "ana/none", data_dir / "datasets/ana/none", api=hub)
    assert not list((data_dir / "datasets").glob(".*"))
