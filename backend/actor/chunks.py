"""Plays a checkpoint's chunks of actions, one a step, while the next chunk is thought of elsewhere.

The loop hands over what it sees and takes the next action out of LeRobot's action queue; it never
waits. A thread of the player's own makes chunks and, with the time that is left, the critic's value
of the newest pictures. When a chunk is ready, the actions of the steps that were played meanwhile
are skipped, so that its action n is the one for the n-th step after its pictures. Steps in which
the queue was empty are not skipped: the robot held still.

    quick model (a chunk within a step)   the new chunk replaces what is left of the old one
    slow model                            asked for earlier, and blended into what is left of the
                                          old one by real-time chunking (LeRobot's `policies/rtc`)

`reset` empties the queue, and a chunk or value still being thought of is thrown away when it comes:
nothing that was meant for the time before a takeover is ever played after it.

A value is begun only when the queue lasts longer than it takes, so values never delay actions.

The thread has no lower priority than its process: it holds the interpreter's lock now and then, and
one that is preempted with the lock in its hand keeps the loop waiting (`docs/log.md`).
"""

import logging
import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from lerobot.policies.rtc import LatencyTracker
from torch import Tensor

from backend.actor.era import Era, Sight, Wish
from backend.actor.judgements import Judged, Value
from backend.control import Observation, Thoughts

log = logging.getLogger(__name__)

# Of the newest latencies, for what the next chunk may take.
NUM_LATENCIES = 30


class Chunk(NamedTuple):
    """What a model plans from one moment on."""

    # float32 [chunk size, action dim], normalised: what the next chunk is blended into.
    normalised: Tensor
    # float32 [chunk size, action dim], in the robot's units.
    actions: Tensor


@dataclass(frozen=True, kw_only=True)
class Blend:
    """What a chunk is to be blended into."""

    # float32 [steps, action dim], normalised: what is left of the chunk that is being played.
    left_over: Tensor
    # So many of them will have been played when the new chunk is there.
    delay: int


class ChunkModel(Protocol):
    """Thinks; called from the player's thread only."""

    chunk_size: int
    # Whether `plan` takes a blend.
    can_blend: bool
    # Steps that an advantage spans.
    horizon: int

    def plan(self, observation: Observation, task: str, blend: Blend | None) -> Chunk: ...

    def value(self, observation: Observation, task: str) -> Value: ...

    def advantage(self, before: float, after: float, *, steps: int, task: str) -> float | None: ...


class PolicyFailedError(RuntimeError):
    """The model could not think. Says what it said."""


class ChunkPlayer:
    """A `ThinkingPolicy`; `watch` and `act` are called from the loop's thread."""

    def __init__(
        self,
        model: ChunkModel,
        *,
        name: str,
        checkpoint_id: str | None,
        fps: float,
        now_s: Callable[[], float],
    ) -> None:
        """Args:
        model: Who thinks; nobody else may use it meanwhile.
        name, checkpoint_id: As an `ActingPolicy` has them.
        fps: Actions a second.
        now_s: Monotonic seconds, to measure with.
        """
        self.name = name
        self.checkpoint_id = checkpoint_id
        self._model: ChunkModel | None = model
        self._size = model.chunk_size
        self._can_blend = model.can_blend
        self._horizon = model.horizon
        self._step_s = 1 / fps
        self._now_s = now_s
        self._changed = threading.Condition()
        self._era = Era(self._horizon)
        self._is_closed = False
        self._chunk_times = LatencyTracker(maxlen=NUM_LATENCIES)
        self._value_times = LatencyTracker(maxlen=NUM_LATENCIES)
        self._last_chunk_s: float | None = None
        self._last_value_s: float | None = None
        # Steps that pass while a chunk is thought of, and how long a value may take.
        self._delay = 0
        self._value_p95_s = 0.0
        # No daemon: torch aborts a process that ends in the midst of a thought.
        self._thread = threading.Thread(target=self._think, name="inference")
        self._thread.start()

    # -- the loop's side ---------------------------------------------------------------------

    def reset(self) -> None:
        with self._changed:
            self._era = Era(self._horizon)

    def watch(self, observation: Observation, *, step: int, task: str) -> None:
        with self._changed:
            self._era.sight = self._era.unjudged = Sight(observation, step, task)
            self._changed.notify()

    def act(self, observation: Observation) -> np.ndarray | None:  # noqa: ARG002
        """The next action of the queue, None while there is none.

        Raises:
            PolicyFailedError: The model failed; a reset lets it try again.
        """
        with self._changed:
            era = self._era
            if era.failure is not None:
                raise PolicyFailedError(
                    f"{type(era.failure).__name__}: {era.failure}"
                ) from era.failure
            era.is_playing = True
            if era.sight is not None and era.queue.qsize() <= self._refill_at():
                left_over = era.queue.get_left_over() if self._blends(era) else None
                era.wish = Wish(era.sight, era.played, left_over)
                self._changed.notify()
            action = era.queue.get()
            if action is None:
                era.starved += era.played > 0
                return None
            era.played += 1
            return np.asarray(action.numpy(), dtype=np.float32)

    def thoughts(self) -> Thoughts:
        with self._changed:
            era = self._era
            return Thoughts(
                value=None if era.value is None else era.value.value,
                spread=None if era.value is None else era.value.spread,
                value_step=era.value_step,
                advantage=era.advantage,
                advantage_step=era.advantage_step,
                queue=era.queue.qsize(),
                chunk_size=self._size,
                starved=era.starved,
                chunk_s=self._last_chunk_s,
                value_s=self._last_value_s,
            )

    def close(self) -> None:
        with self._changed:
            self._is_closed = True
            self._era = Era(self._horizon)
            # Weights may be large, and somebody may keep this object for its name.
            self._model = None
            self._changed.notify()

    # -- when to think of what ---------------------------------------------------------------

    def _refill_at(self) -> int:
        """A new chunk is due when no more than so many actions wait.

        Half of a chunk is played before the next one; less of it where thinking takes longer.
        """
        return min(self._size - 1, max(self._size - max(1, self._size // 2), self._delay + 1))

    def _blends(self, era: Era) -> bool:
        return self._can_blend and self._delay > 1 and not era.queue.empty()

    def _may_judge(self, era: Era) -> bool:
        """Whether there is time for a value before the next chunk is due."""
        if era.unjudged is None:
            return False
        if not era.is_playing:
            return True
        spare_s = float(era.queue.qsize() - self._refill_at()) * self._step_s
        return spare_s > 0 and spare_s >= self._value_p95_s

    def _has_work(self) -> bool:
        return self._is_closed or self._era.wish is not None or self._may_judge(self._era)

    # -- the player's thread -----------------------------------------------------------------

    def _think(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(self._has_work)
                model, era = self._model, self._era
                if model is None:
                    return
                wish, unjudged, delay = era.wish, era.unjudged, self._delay
                if wish is not None:
                    era.wish = None
                else:
                    era.unjudged = None
            if wish is not None:
                self._make_chunk(model, wish, delay, era)
            elif unjudged is not None:
                self._judge(model, unjudged, era)

    def _make_chunk(self, model: ChunkModel, wish: Wish, delay: int, era: Era) -> None:
        blend = None if wish.left_over is None else Blend(left_over=wish.left_over, delay=delay)
        began_s = self._now_s()
        try:
            chunk = model.plan(wish.sight.observation, wish.sight.task, blend)
        except Exception as error:
            # Whatever a model raises belongs to the loop: `act` raises it there.
            with self._changed:
                era.failure = error
            return
        with self._changed:
            self._last_chunk_s = self._now_s() - began_s
            self._chunk_times.add(self._last_chunk_s)
            self._delay = math.ceil((self._chunk_times.p95() or 0.0) / self._step_s)
            era.queue.merge(chunk.normalised, chunk.actions, era.played - wish.played)
            # A wish made meanwhile knows only the old chunk.
            era.wish = None

    def _judge(self, model: ChunkModel, sight: Sight, era: Era) -> None:
        began_s = self._now_s()
        try:
            value = model.value(sight.observation, sight.task)
            advantage, of_step = _advantage(model, era, Judged(sight.step, value.value), sight.task)
        except Exception:
            # A robot drives as well without its critic's opinion, and this thread must go on to
            # the next chunk whatever a model of any making raises.
            log.exception("%s: no value of step %d", self.name, sight.step)
            return
        with self._changed:
            self._last_value_s = self._now_s() - began_s
            self._value_times.add(self._last_value_s)
            self._value_p95_s = self._value_times.p95() or 0.0
            era.value, era.value_step = value, sight.step
            if advantage is not None:
                era.advantage, era.advantage_step = advantage, of_step


def _advantage(
    model: ChunkModel, era: Era, newest: Judged, task: str
) -> tuple[float | None, int | None]:
    """What another value says of an earlier step, and which one that is."""
    before = era.judgements.add(newest)
    if before is None:
        return None, None
    steps = newest.step - before.step
    return model.advantage(before.value, newest.value, steps=steps, task=task), before.step
