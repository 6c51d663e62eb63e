"""Published weights: light, whole or refused, and equal to what was trained."""

import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from backend.learning.models import load_models
from backend.learning.published import load_published, publish_weights
from backend.learning.published_files import (
    NOTE_FILE,
    TRAINED_FILE,
    WeightsError,
    base_checkpoint,
    check_shapes,
    check_sum,
    prune_weights,
    published_versions,
    read_note,
    weights_folder,
)
from backend.learning.training import save_run

NOW_S = 1_700_000_000.0
# A part of each: what is not trained must come from the checkpoint below.
RULES = {"trainable": ["expert", "action_out", "critic.head"]}


@pytest.fixture
def published(make_learner, tmp_path):
    """A run with a checkpoint of step 0, and weights of step 4 published on top of it."""
    learner, run = make_learner(RULES), tmp_path / "touch"
    save_run(learner, run)
    while not learner.done:
        learner.train_step()
    note = publish_weights(learner, run, base="touch/000000", label_revision=3, now_s=NOW_S)
    return learner, run, note


def state_of(models) -> dict[str, torch.Tensor]:
    return {**models.policy.state_dict(), **models.critic.state_dict()}


def test_published_weights_over_their_checkpoint_are_what_was_trained(published):
    learner, run, note = published
    folder = weights_folder(run, 1)

    loaded = state_of(load_published(folder, device="cpu"))

    for name, weight in state_of(learner.models).items():
        torch.testing.assert_close(loaded[name], weight, rtol=0, atol=0, msg=name)
    assert (note.id, note.step, note.label_revision) == ("touch@000001", 4, 3)
    whole = run / "000000/pretrained_model/model.safetensors"
    assert note.size_bytes < whole.stat().st_size
    trained = load_file(folder / TRAINED_FILE)
    assert any(name.startswith("critic.head.") for name in trained)
    assert not any("vision_tower" in name for name in trained)


def test_adapters_are_published_merged(make_learner, tmp_path):
    start = tmp_path / "start"
    save_run(make_learner(), start)
    learner = make_learner(
        {"model.start_from": str(start / "000000"), "lora": {"rank": 2}, "critic.depth": 1}
    )
    run = tmp_path / "adapted"
    save_run(learner, run)
    while not learner.done:
        learner.train_step()

    publish_weights(learner, run, base="adapted/000000", label_revision=0, now_s=NOW_S)
    save_run(learner, run)

    published = state_of(load_published(weights_folder(run, 1), device="cpu"))
    for name, weight in state_of(load_models(run / "000004", device="cpu")).items():
        torch.testing.assert_close(published[name], weight, rtol=0, atol=0, msg=name)
    names = load_file(weights_folder(run, 1) / TRAINED_FILE)
    assert names
    assert not any("lora_" in name for name in names)


def test_versions_count_on_whatever_was_deleted_and_only_the_newest_stay(published):
    learner, run, _note = published
    for _ in range(3):
        publish_weights(learner, run, base="touch/000000", label_revision=3, now_s=NOW_S)

    gone = prune_weights(run, keep=1, needed=["touch@000002"])
    newest = publish_weights(learner, run, base="touch/000000", label_revision=3, now_s=NOW_S)

    assert gone == [1, 3]
    assert newest.id == "touch@000005"
    assert published_versions(run) == [2, 4, 5]


def test_another_checkpoint_of_the_run_does_when_the_one_below_is_gone(published):
    learner, run, note = published
    save_run(learner, run)
    (run / "000000").rename(run / ".000000.deleted")

    assert base_checkpoint(weights_folder(run, 1), note) == run / "000004"
    (run / "000004").rename(run / ".000004.deleted")
    with pytest.raises(WeightsError, match=r"touch@000001 go over .* bring touch/000000 back"):
        base_checkpoint(weights_folder(run, 1), note)


def test_damaged_or_foreign_weights_are_refused_before_they_are_loaded(published):
    _learner, run, note = published
    folder, base = weights_folder(run, 1), run / "000000"
    trained = folder / TRAINED_FILE
    whole = trained.read_bytes()

    trained.write_bytes(whole[:-1000])
    with pytest.raises(WeightsError, match=r"touch@000001 cannot be read: .* is truncated"):
        check_shapes(folder, note, base)

    trained.write_bytes(whole[:-1] + bytes([whole[-1] ^ 255]))
    check_shapes(folder, note, base)
    with pytest.raises(WeightsError, match="their checksum is"):
        check_sum(folder, note)

    save_file({"actor.model.action_out_proj.weight": torch.zeros(3, 2)}, trained)
    other = replace(note, size_bytes=trained.stat().st_size)
    with pytest.raises(WeightsError, match=r"action_out_proj.weight is F32 \[3, 2\], checkpoint"):
        check_shapes(folder, other, base)

    save_file({"actor.arm": torch.zeros(1)}, trained)
    other = replace(note, size_bytes=trained.stat().st_size)
    with pytest.raises(WeightsError, match=r"hold actor\.arm, which checkpoint touch/000000 has"):
        check_shapes(folder, other, base)

    (folder / NOTE_FILE).write_text(json.dumps({"run": "touch"}))
    with pytest.raises(WeightsError, match="a note nobody can read"):
        read_note(folder)
    (folder / NOTE_FILE).unlink()
    with pytest.raises(WeightsError, match=r"touch@000001 are not in .*: newer ones have taken"):
        read_note(folder)
