"""Does the actor do as its word says? On synthetic data where good and bad actions are known.

A picture shows a dot. Successful episodes move towards it, failed ones away; nothing else tells
them apart. Critic, labels and actor are trained as in a real run; then, on episodes never seen,
chunks are sampled under the best and under the worst word. Prints JSON.

    python -m benchmarks.conditioning --critic-steps 200 --actor-steps 600
"""

import argparse
import json
import time

import numpy as np
import torch

from backend.domain import Outcome
from backend.learning.acting import CheckpointPolicy
from backend.learning.advantages import best_word, worst_word
from backend.learning.config_files import load_config
from backend.learning.labels import make_labels
from backend.learning.learner import Learner
from backend.learning.probes import conditioning, value_order
from backend.learning.replay import ChunkSampler, EpisodeArrays
from backend.learning.scoring import score_episodes
from backend.learning.training import start_run


def make_episode(number: int, *, good: bool, steps: int, pixels: int) -> EpisodeArrays:
    """Return an episode whose every action points at its dot (`good`) or away from it."""
    rng = np.random.default_rng([number, int(good)])
    direction = rng.choice([-1.0, 1.0], size=2).astype(np.float32)
    size = pixels // 4
    corner = ((direction + 1) / 2 * (pixels - size)).astype(int)
    frame = rng.integers(0, 40, size=(pixels, pixels, 3), dtype=np.uint8)
    frame[corner[0] : corner[0] + size, corner[1] : corner[1] + size] = 255
    progress = np.linspace(-1.0, 1.0, steps, dtype=np.float32)
    toward = direction if good else -direction
    actions = toward + 0.1 * rng.standard_normal((steps, 2)).astype(np.float32)
    return EpisodeArrays(
        episode_id=f"{'good' if good else 'bad'}-{number}",
        task="go to the dot",
        fps=10.0,
        states=np.stack([progress, progress], axis=1),
        actions=actions.astype(np.float32),
        images={"front": np.repeat(frame[None], steps, axis=0)},
        is_human=np.zeros(steps, dtype=bool),
        outcome=Outcome.SUCCESS if good else Outcome.FAILURE,
    )


def make_episodes(count: int, *, first: int, steps: int, pixels: int) -> list[EpisodeArrays]:
    """Return `count` good and as many bad episodes."""
    return [
        make_episode(number, good=good, steps=steps, pixels=pixels)
        for number in range(first, first + count)
        for good in (True, False)
    ]


def train(
    episodes: list[EpisodeArrays], *, preset: str, critic_steps: int, actor_steps: int, seed: int
) -> Learner:
    """Train critic, label, train actor; return the learner."""
    steps = max(len(episode) for episode in episodes)
    overrides = {
        "seed": seed,
        "words.advantage_steps": steps,
        "words.positive_fraction": 0.5,
        "words.dropout": 0.1,
        "optimizer.batch_size": 16,
        "optimizer.accumulation": 1,
        "optimizer.actor_lr": 1e-3,
        "optimizer.critic_lr": 1e-3,
        "optimizer.warmup_steps": 20,
        "schedule.critic_steps": critic_steps,
        "schedule.actor_steps": actor_steps,
    }
    learner = start_run(load_config(preset, overrides), episodes, device="cpu")
    while not learner.done:
        learner.train_step()
    return learner


def obedience(learner: Learner, episodes: list[EpisodeArrays], *, samples: int) -> dict[str, float]:
    """Return the share of sampled actions that go towards the dot, by word."""
    rng = np.random.default_rng(0)
    mode = learner.config.words.mode
    policy = CheckpointPolicy(learner.models)
    prompt = next(s for s in policy.preprocessor.steps if hasattr(s, "word"))
    shape = (policy.chunk_size, learner.models.policy.config.max_action_dim)
    shares = {}
    for name, word in (("best", best_word(mode)), ("worst", worst_word(mode))):
        prompt.word = word
        right = []
        for episode in episodes[:samples]:
            good = episode.outcome is Outcome.SUCCESS
            toward = np.sign(episode.actions.mean(axis=0)) * (1.0 if good else -1.0)
            step = int(rng.integers(len(episode)))
            chunk = policy.predict_chunk(
                episode.states[step],
                {"front": episode.images["front"][step]},
                episode.task,
                noise=rng.standard_normal(shape, dtype=np.float32),
            )
            right.append(float((np.sign(chunk) == toward).mean()))
        shares[f"towards_the_dot_under_{name}_word"] = float(np.mean(right))
    prompt.word = best_word(mode)
    return shares


def report(learner: Learner, held_out: list[EpisodeArrays], *, samples: int) -> dict[str, object]:
    """Return all measures on episodes never trained on."""
    config = learner.config
    scores = dict(score_episodes(learner.models, held_out))
    values = {name: score.values for name, score in scores.items()}
    labels = make_labels(
        held_out,
        values,
        config=config,
        longest=learner.models.longest,
        thresholds=learner.models.thresholds,
    )
    sampler = ChunkSampler(
        horizon=config.model.chunk_size, reward=config.reward, rng=np.random.default_rng(1)
    )
    sampler.set_episodes(held_out, longest=learner.models.longest)
    batch = sampler.draw(64)
    where = zip(batch.episode_ids, batch.starts, strict=True)
    words = [labels.words[name][start] for name, start in where]
    probe = conditioning(learner.models, batch, words, rng=np.random.default_rng(2))
    alignment = [
        (word == best_word(config.words.mode)) == (e.outcome is Outcome.SUCCESS)
        for e in held_out
        for word in labels.words[e.episode_id]
    ]
    return {
        **obedience(learner, held_out, samples=samples),
        "conditioning_accuracy": probe.accuracy,
        "conditioning_gap": probe.gap,
        "word_agrees_with_outcome": float(np.mean(alignment)),
        "value_order": value_order(
            [values[e.episode_id] for e in held_out],
            [sampler.returns_of(e.episode_id) for e in held_out],
            [e.outcome for e in held_out],
            [e.source for e in held_out],
        ),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", default="debug", help="learner preset that is overridden")
    parser.add_argument("--episodes", type=int, default=40, help="good ones, and as many bad ones")
    parser.add_argument("--steps", type=int, default=12, help="steps of an episode")
    parser.add_argument("--pixels", type=int, default=32)
    parser.add_argument("--critic-steps", type=int, default=200)
    parser.add_argument("--actor-steps", type=int, default=600)
    parser.add_argument("--samples", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    sizes = {"steps": args.steps, "pixels": args.pixels}
    started = time.perf_counter()
    learner = train(
        make_episodes(args.episodes, first=0, **sizes),
        preset=args.preset,
        critic_steps=args.critic_steps,
        actor_steps=args.actor_steps,
        seed=args.seed,
    )
    seconds = time.perf_counter() - started
    held_out = make_episodes(max(args.samples // 2, 10), first=100_000, **sizes)
    result = report(learner, held_out, samples=args.samples)
    print(json.dumps({**vars(args), "seconds": round(seconds, 1), **result}, indent=2))


if __name__ == "__main__":
    main()
