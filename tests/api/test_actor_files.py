"""Checkpoints on their way to an actor on another computer, over real HTTP."""

import hashlib
import json
import shutil

import httpx
import pytest

from backend.actor.fetching import FetchedFiles, NotFetchedError
from backend.actor.place import Disk, Place
from backend.actor.server_http import ServerHttp
from backend.wire import DISK_APART, DISK_HEADER, DISK_SHARED

STEP = "checkpoints/run7/000500"


@pytest.fixture
def data_dir(server):
    """The server's, with one checkpoint."""
    data_dir = server.backend.settings.data_dir
    inner = data_dir / STEP / "pretrained_model"
    inner.mkdir(parents=True)
    (inner / "config.json").write_text("{}")
    (inner / "model.safetensors").write_bytes(bytes(range(256)) * 4096)
    (data_dir / STEP / "training_state").mkdir()
    (data_dir / STEP / "training_state/optimizer.safetensors").write_bytes(b"large")
    return data_dir


@pytest.fixture
def http(server, data_dir):
    http = ServerHttp(url=server.ws_url, token=(data_dir / "actor.token").read_text())
    yield http
    http.close()


@pytest.fixture
def robot_dir(tmp_path):
    return tmp_path / "robot"


def files_of(robot_dir, http, disk=DISK_APART):
    place = Place(robot_dir)
    place.connected({DISK_HEADER: disk})
    return FetchedFiles(data_dir=robot_dir, place=place, http=http)


def test_a_nonce_tells_whether_two_share_a_disk(server, open_actor, data_dir, robot_dir):
    at_home, elsewhere = Place(data_dir), Place(robot_dir)
    assert at_home.disk is Disk.UNKNOWN
    assert at_home.request_headers() != elsewhere.request_headers()

    for place, disk in ((elsewhere, Disk.APART), (at_home, Disk.SHARED)):
        actor = open_actor(headers=place.request_headers())
        place.connected(actor.socket.response.headers)
        actor.close()
        assert place.disk is disk
        assert server.backend.live.line.is_apart == (disk is Disk.APART)


def test_a_checkpoint_comes_whole_and_only_once(http, data_dir, robot_dir, caplog):
    caplog.set_level("INFO")
    files = files_of(robot_dir, http)

    brought = files.bring(str(data_dir / STEP))
    again = files.bring(STEP)

    assert brought == again == robot_dir / STEP
    model = "pretrained_model/model.safetensors"
    assert (brought / model).read_bytes() == (data_dir / STEP / model).read_bytes()
    assert not (brought / "training_state").exists(), "driving needs no optimiser"
    assert caplog.text.count("fetched checkpoints") == 1


def test_a_shared_disk_needs_no_copy(http, data_dir, robot_dir):
    files = files_of(robot_dir, http, DISK_SHARED)

    assert files.bring(str(data_dir / STEP)) == data_dir / STEP
    assert not robot_dir.exists()


def test_a_broken_download_goes_on_and_a_damaged_one_begins_anew(http, data_dir, robot_dir):
    model = data_dir / STEP / "pretrained_model/model.safetensors"
    half = robot_dir / "checkpoints/run7/.000500.fetching/pretrained_model"
    half.mkdir(parents=True)
    (half / "model.safetensors").write_bytes(model.read_bytes()[:1000])
    (half / "config.json").write_bytes(b"[]")

    brought = files_of(robot_dir, http).bring(STEP)

    assert (brought / "pretrained_model/model.safetensors").read_bytes() == model.read_bytes()
    assert (brought / "pretrained_model/config.json").read_text() == "{}"


def test_a_checkpoint_of_this_computer_is_never_replaced(http, data_dir, robot_dir):
    own = robot_dir / STEP / "pretrained_model"
    shutil.copytree(data_dir / STEP / "pretrained_model", own)
    files = files_of(robot_dir, http)
    assert files.bring(STEP) == robot_dir / STEP, "the same content will do"

    (own / "config.json").write_text("other")
    with pytest.raises(NotFetchedError, match="another checkpoint"):
        files.bring(STEP)

    assert (own / "config.json").read_text() == "other"


def test_only_the_copies_used_last_are_kept(http, data_dir, robot_dir):
    names = [f"checkpoints/run7/{step:06d}" for step in range(1, 6)]
    for name in names:
        shutil.copytree(data_dir / STEP, data_dir / name)
    files = files_of(robot_dir, http)

    for name in names[:4]:
        files.bring(name)
    files.bring(names[0])
    files.bring(names[4])

    kept = [name for name in names if (robot_dir / name).is_dir()]
    assert kept == [names[0], *names[2:]]


def test_published_weights_come_with_the_checkpoint_they_go_over(http, data_dir, robot_dir):
    weights = data_dir / "checkpoints/run7/weights/000003"
    weights.mkdir(parents=True)
    trained = b"not really tensors"
    (weights / "trained.safetensors").write_bytes(trained)
    note = {
        "run": "run7",
        "version": 3,
        "step": 520,
        "base": "run7/000500",
        "created_s": 1.0,
        "label_revision": 0,
        "size_bytes": len(trained),
        "sha256": hashlib.sha256(trained).hexdigest(),
    }
    (weights / "weights.json").write_text(json.dumps(note))

    brought = files_of(robot_dir, http).bring(str(weights))

    assert (brought / "trained.safetensors").read_bytes() == trained
    assert (robot_dir / STEP / "pretrained_model/config.json").is_file()


def test_nothing_else_of_the_server_can_be_fetched(http, data_dir, robot_dir):
    files = files_of(robot_dir, http)
    for path in ("checkpoints/../episodes", str(data_dir), "/etc", "checkpoints/run7/000501"):
        with pytest.raises(NotFetchedError, match="there is no checkpoint"):
            files.bring(path)
    params = {"path": STEP, "name": "../../../actor.token"}
    token = (data_dir / "actor.token").read_text()
    url = str(http.base_url)
    with httpx.Client(headers={"Authorization": f"Bearer {token}"}) as client:
        assert client.get(f"{url}/file", params=params).status_code == 404
        refused = client.get(f"{url}/files", params=params, headers={"Authorization": "Bearer x"})
        assert refused.status_code == 401
        page = client.get(f"{url}/files", params=params, headers={"Origin": "http://elsewhere"})
        assert page.status_code == 403


def test_an_unreachable_server_is_named_with_what_to_do(data_dir, robot_dir):
    http = ServerHttp(url="ws://127.0.0.1:9", token="")
    with pytest.raises(NotFetchedError, match="see to the network"):
        files_of(robot_dir, http).bring(STEP)
    http.close()
