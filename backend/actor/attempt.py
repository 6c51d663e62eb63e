"""The attempt that is being recorded: its header, its step count, its clock.

A step counts when the recorder took it, so that row n of the file is step n. Time in which the
robot is held belongs to no step and does not bring the timeout nearer.

A critic's value of a step comes while the robot moves. So where a policy has one, a step is handed
to the recorder when the next one begins: with its value, or without if that is late.
"""

import uuid
from dataclasses import replace

import numpy as np

from backend.actor.recorder import Recorder
from backend.actor.rig import Rig
from backend.control import Observation
from backend.domain import Driver, EndReason, Outcome
from backend.episodes.format import CameraSize, EpisodeEnd, EpisodeHeader, Step
from backend.wire import EpisodeNow


class Attempt:
    """From `start` to its end."""

    def __init__(
        self, *, header: EpisodeHeader, timeout_s: float, recorder: Recorder, awaits_values: bool
    ) -> None:
        """Begin to record.

        Args:
            header: What it is.
            timeout_s: Counts driving only.
            recorder: Takes the steps.
            awaits_values: Keep each step back until the next, for its value.
        """
        self.header = header
        self._timeout_s = timeout_s
        self._recorder = recorder
        self._steps = 0
        self._human_steps = 0
        self._driven_ticks = 0
        self._awaits_values = awaits_values
        self._kept: Step | None = None
        recorder.begin(header)

    def add(
        self,
        observation: Observation,
        *,
        wall_s: float,
        action: np.ndarray,
        requested: np.ndarray,
        driver: Driver,
    ) -> bool:
        """Record one step.

        Args:
            observation: What the robot reported before the action.
            wall_s: When the step began, Unix time in seconds.
            action: float32 [action dim], as executed.
            requested: float32 [action dim], as the driver wanted it.
            driver: Who wanted it.

        Returns:
            False when the recorder could not take a step, this one or the one kept back.
        """
        taken = self._hand_over_kept()
        step = Step(
            step=self._steps,
            timestamp_s=self._steps / self.header.fps,
            wall_s=wall_s,
            state=observation.state,
            action=action,
            requested=requested,
            driver=driver,
            frames=observation.frames,
            frame_wall_s=observation.frame_wall_s,
        )
        if not self._awaits_values:
            return self._hand_over(step)
        self._kept = step
        return taken

    def judge(self, value: float, spread: float | None) -> None:
        """The critic's view of the last step that was added, before the next one is."""
        if self._kept is not None:
            self._kept = replace(self._kept, value=value, spread=spread)

    def _hand_over_kept(self) -> bool:
        kept, self._kept = self._kept, None
        return kept is None or self._hand_over(kept)

    def _hand_over(self, step: Step) -> bool:
        taken = self._recorder.add(step)
        if taken:
            self._steps += 1
            self._human_steps += step.driver is Driver.HUMAN
        return taken

    def drove(self) -> None:
        """Somebody drove for a tick: the attempt's clock runs."""
        self._driven_ticks += 1

    @property
    def driven_s(self) -> float:
        return self._driven_ticks / self.header.fps

    @property
    def is_over_time(self) -> bool:
        return self.driven_s >= self._timeout_s

    def finish(
        self,
        reason: EndReason,
        *,
        outcome: Outcome,
        ended_s: float,
        command_id: str | None,
        author: str,
    ) -> None:
        """End it; `ended_s` is Unix time."""
        self._hand_over_kept()
        self._recorder.finish(
            EpisodeEnd(
                end_reason=reason,
                outcome=outcome,
                ended_s=ended_s,
                num_steps=self._steps,
                num_human_steps=self._human_steps,
                command_id=command_id,
                author=author,
            )
        )

    def now(self) -> EpisodeNow:
        """How far it has come."""
        kept = self._kept
        return EpisodeNow(
            id=self.header.id,
            number=self.header.number,
            steps=self._steps + (kept is not None),
            human_steps=self._human_steps + (kept is not None and kept.driver is Driver.HUMAN),
            elapsed_s=round(self.driven_s, 3),
            task=self.header.task,
        )


def header_of(
    rig: Rig, *, session_id: str, number: int, task: str, started_s: float, operator: str
) -> EpisodeHeader:
    """What is known of an attempt with `rig` when it starts, under an id of its own.

    Args:
        rig: What it is driven with.
        session_id: From `open` to `close`.
        number: Counts the attempts of the session, from 1.
        task: What it is about.
        started_s: Unix time.
        operator: Who started it.
    """
    arm = rig.arm
    return EpisodeHeader(
        id=str(uuid.uuid4()),
        session_id=session_id,
        number=number,
        robot=rig.facts.robot,
        robot_type=arm.robot_type,
        task=task,
        fps=arm.fps,
        state_names=arm.state_names,
        action_names=arm.action_names,
        cameras={
            name: CameraSize(width=width, height=height)
            for name, (width, height) in arm.cameras.items()
        },
        policy=rig.policy_name,
        checkpoint_id=rig.policy.checkpoint_id,
        started_s=started_s,
        operator=operator,
    )
