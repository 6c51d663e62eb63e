"""Makes a job's learner, new or resumed, that draws from its plan's sources by their shares."""

import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from backend.jobs.mixing import MixedSampler
from backend.jobs.train_plan import TrainPlan
from backend.learning.advantages import worst_word
from backend.learning.arrays import EpisodeArrays, Observations
from backend.learning.checkpoints import checkpoint_steps, step_folder
from backend.learning.config import LearnerConfig
from backend.learning.learner import Learner
from backend.learning.training import resume_run, start_run


def make_learner(
    config: LearnerConfig,
    plan: TrainPlan,
    episodes: Sequence[EpisodeArrays],
    *,
    folder: Path,
    device: str,
) -> Learner:
    """Return the learner of the run in `folder`: where it stopped, else at its beginning.

    Args:
        config: Of a run that is new.
        plan: What it learns from.
        episodes: Those of the plan that are learned from, read.
        folder: Of the run's checkpoints.
        device: `cpu`, `cuda`, …

    Raises:
        ValueError, OSError: Episodes, start and config do not fit each other, or a file is missing.
    """

    def sampler(rng: np.random.Generator) -> MixedSampler:
        return MixedSampler(
            horizon=config.model.chunk_size,
            reward=config.reward,
            rng=rng,
            source_of=sources_of(plan),
            shares=plan.shares,
            clock=time.monotonic,
        )

    steps = checkpoint_steps(folder)
    if steps:
        return resume_run(step_folder(folder, steps[-1]), episodes, device=device, sampler=sampler)
    return start_run(
        config, episodes, device=device, action_names=plan.action_names, sampler=sampler
    )


def sources_of(plan: TrainPlan) -> dict[str, int]:
    """Position of the source of each episode, by its id."""
    return {episode.id: episode.source for episode in plan.episodes}


def try_prompts(learner: Learner, episodes: Iterable[EpisodeArrays]) -> None:
    """Make a prompt of every task now: one too long would stop the run hours later.

    Raises:
        PromptTooLongError: It would be cut.
    """
    first = list({episode.task: episode for episode in episodes}.values())
    if not first:
        return
    blind = Observations(
        tasks=[e.task for e in first], states=np.stack([e.states[0] for e in first]), images={}
    )
    actions = np.stack(
        [np.repeat(e.actions[:1], learner.config.model.chunk_size, axis=0) for e in first]
    )
    word = worst_word(learner.config.words.mode)
    learner.inputs.for_actor(blind, actions, [word] * len(first))
