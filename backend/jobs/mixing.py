"""Draws training chunks from several sources by their shares, and times how long that takes.

Within a source all steps are alike. All random numbers come from the learner's own generator, so a
resumed run draws what the unbroken one would have drawn.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from backend.learning.arrays import ChunkBatch, EpisodeArrays
from backend.learning.replay import ChunkSampler, Drawable, nothing_to_draw


@dataclass(kw_only=True)
class MixedSampler(ChunkSampler):
    """A `ChunkSampler` for a learner whose episodes come from sources with shares."""

    # Source of each episode by its id, and share of the samples of each source; may be replaced
    # just before `set_episodes`.
    source_of: Mapping[str, int]
    shares: Sequence[float]
    # Seconds, only ever subtracted.
    clock: Callable[[], float]
    # Time spent in drawing since the last `take_waited_s`.
    _waited_s: float = field(default=0.0, init=False)
    _rows: dict[Drawable, list[np.ndarray]] = field(default_factory=dict, init=False)

    def set_episodes(
        self, episodes: Sequence[EpisodeArrays], *, longest: Mapping[str, int] | None = None
    ) -> None:
        """Take these episodes instead of those before; see `ChunkSampler`."""
        super().set_episodes(episodes, longest=longest)
        self._rows = {}

    def leave_out(self, left_out: Mapping[str, np.ndarray]) -> None:
        """Start no chunk at these steps unless all are asked for; see `ChunkSampler`."""
        super().leave_out(left_out)
        self._rows = {}

    def draw(
        self,
        size: int,
        *,
        with_successors: bool = False,
        all_steps: bool = False,
        judged_only: bool = False,
    ) -> ChunkBatch:
        """Return `size` chunks, drawn with replacement, each source by its share.

        Raises:
            ValueError: There is no such step.
        """
        before = self.clock()
        which = Drawable(all_steps=all_steps, judged_only=judged_only)
        rows = self._drawable_by_source(which)
        shares = np.array([s if len(r) else 0.0 for s, r in zip(self.shares, rows, strict=True)])
        if shares.sum() == 0:
            raise ValueError(nothing_to_draw(which))
        expected = size * shares / shares.sum()
        counts = np.floor(expected).astype(int)
        # What is left of a sample goes by chance, so that small shares are drawn now and then.
        left = size - counts.sum()
        if left:
            rest = expected - counts
            extra = self.rng.choice(len(rest), size=left, p=rest / rest.sum())
            counts += np.bincount(extra, minlength=len(counts))
        picks = [
            mine[self.rng.integers(len(mine), size=count)]
            for mine, count in zip(rows, counts, strict=True)
            if count
        ]
        ids = [episode.episode_id for episode in self.episodes]
        where = [(ids[number], int(start)) for number, start in np.concatenate(picks)]
        batch = self.gather(where, with_successors=with_successors)
        self._waited_s += self.clock() - before
        return batch

    def take_waited_s(self) -> float:
        """Seconds spent in drawing since this was last asked."""
        waited_s, self._waited_s = self._waited_s, 0.0
        return waited_s

    def _drawable_by_source(self, which: Drawable) -> list[np.ndarray]:
        """Number of episode and step of every chunk that may be drawn, int [n, 2], by source."""
        if which not in self._rows:
            rows = np.concatenate([self._drawable(which, online=o) for o in (False, True)])
            source = np.array([self.source_of[e.episode_id] for e in self.episodes])
            self._rows[which] = [
                rows[source[rows[:, 0]] == number] for number in range(len(self.shares))
            ]
        return self._rows[which]
