import numpy as np
import pytest

from backend.domain import Outcome
from backend.learning.config import RewardConfig
from backend.learning.replay import ChunkSampler
from tests.learning.synthetic import make_episode


def sampler_of(episodes, *, horizon=5, scheme="recap", online_fraction=0.5):
    sampler = ChunkSampler(
        horizon=horizon,
        reward=RewardConfig(scheme=scheme),
        rng=np.random.default_rng(0),
        online_fraction=online_fraction,
    )
    sampler.set_episodes(episodes)
    return sampler


def numbered(episode_id, steps, **kwargs):
    """An episode whose actions say which step of which episode they are."""
    episode = make_episode(episode_id, steps=steps, **kwargs)
    episode.actions[:] = np.arange(steps, dtype=np.float32)[:, None]
    return episode


@pytest.mark.parametrize("outcome", list(Outcome))
def test_no_chunk_ever_holds_actions_of_another_episode(outcome):
    # Trap: truncated episodes used to run on into the next one.
    episodes = [numbered("a", 7, outcome=outcome), numbered("b", 3), numbered("c", 12)]
    sampler = sampler_of(episodes)

    batch = sampler.draw(300)

    lengths = {e.episode_id: len(e) for e in episodes}
    for row, (name, start) in enumerate(zip(batch.episode_ids, batch.starts, strict=True)):
        real = ~batch.action_is_pad[row]
        assert real.sum() == min(5, lengths[name] - start)
        assert (batch.actions[row][real][:, 0] == np.arange(start, start + real.sum())).all()


@pytest.mark.parametrize("scheme", ["recap", "seed"])
def test_successor_states_belong_to_the_same_episode(scheme):
    # Trap: a done flag at the very end of the look-ahead slipped through.
    episodes = [make_episode(name, steps=steps) for name, steps in (("a", 6), ("b", 5), ("c", 11))]
    sampler = sampler_of(episodes, scheme=scheme)
    everywhere = [(e.episode_id, start) for e in episodes for start in range(len(e))]

    batch = sampler.gather(everywhere, with_successors=True)

    for row, (name, start) in enumerate(everywhere):
        episode = next(e for e in episodes if e.episode_id == name)
        after = min(start + 5, len(episode) - 1)
        assert (batch.successors.states[row] == episode.states[after]).all()
        assert (batch.discounts[row] == 0) == (start + 5 > len(episode) - 1)


def test_terminated_and_truncated_chunks_are_told_apart():
    episodes = [
        make_episode("judged", steps=6, outcome=Outcome.FAILURE),
        make_episode("cut", steps=6, outcome=Outcome.NONE),
    ]
    batch = sampler_of(episodes).gather([("judged", 3), ("cut", 3), ("judged", 0)])

    assert batch.terminated.tolist() == [True, False, False]
    assert batch.truncated.tolist() == [False, True, False]
    assert batch.discounts[1] > 0
    assert np.isnan(batch.returns[1])


def test_the_last_step_can_start_a_chunk():
    sampler = sampler_of([make_episode("a", steps=4)])

    batch = sampler.draw(200)

    assert set(batch.starts) == {0, 1, 2, 3}
    last = batch.starts == 3
    assert batch.action_is_pad[last].sum(axis=1).tolist() == [4] * last.sum()
    assert batch.is_last[last].all()


def test_half_of_a_batch_is_online_once_there_are_online_episodes():
    offline = [make_episode("old", steps=300)]
    mixed = sampler_of([*offline, make_episode("new", steps=5, source="online")])

    assert sampler_of(offline).draw(10).episode_ids == ["old"] * 10
    assert mixed.draw(10).episode_ids.count("new") == 5


def test_steps_left_out_are_not_drawn_except_when_all_are_asked_for():
    sampler = sampler_of([make_episode("a", steps=6)])
    sampler.leave_out({"a": np.array([1, 1, 1, 1, 1, 0], bool)})

    assert set(sampler.draw(50).starts) == {5}
    assert len(set(sampler.draw(200, all_steps=True).starts)) == 6


def test_parts_of_a_batch_are_the_batch():
    batch = sampler_of([make_episode("a", steps=9)]).draw(7, with_successors=True)

    parts = list(batch.parts(3))

    assert [len(part) for part in parts] == [3, 3, 1]
    assert (np.concatenate([part.actions for part in parts]) == batch.actions).all()
    assert [t for part in parts for t in part.successors.tasks] == batch.successors.tasks


def test_two_episodes_of_one_id_are_refused():
    with pytest.raises(ValueError, match="episode a is given twice"):
        sampler_of([make_episode("a"), make_episode("a")])


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("states", np.zeros((20, 2), np.float16), "must be float32: half precision"),
        ("actions", np.full((20, 2), np.nan, np.float32), "actions of step 0 not finite"),
        ("states", np.zeros((19, 2), np.float32), "same number of steps"),
        ("images", {"front": np.zeros((20, 8, 8, 3), np.float32)}, "must be uint8"),
    ],
)
@pytest.mark.usefixtures("shapes_unchecked")
def test_arrays_that_would_train_on_garbage_are_refused(field, value, message):
    # Traps: float pictures, half-precision joint angles, shifted arrays.
    good = vars(make_episode("a"))

    with pytest.raises(ValueError, match=message):
        type(make_episode("a"))(**{**good, field: value})
