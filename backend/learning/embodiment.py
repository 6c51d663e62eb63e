"""What a robot shows and takes, and whether episodes and policies are of the same one."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from lerobot.utils.constants import OBS_IMAGES

from backend.learning.arrays import EpisodeArrays
from backend.learning.pi05_rl.configuration_pi05_rl import PI05RLConfig


@dataclass(frozen=True, kw_only=True)
class Embodiment:
    """What the robot shows and takes."""

    cameras: tuple[str, ...]
    state_dim: int
    action_dim: int
    # Names of the action dimensions, in order, for LeRobot's programs; None when unknown.
    action_names: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if not self.cameras:
            raise ValueError("no cameras: π0.5 sees by at least one")
        if min(self.state_dim, self.action_dim) < 1:
            raise ValueError(
                f"state_dim ({self.state_dim}) and action_dim ({self.action_dim}) must be above 0"
            )
        if self.action_names is not None and len(self.action_names) != self.action_dim:
            raise ValueError(
                f"an action of {self.action_dim} numbers cannot have the names "
                f"{', '.join(self.action_names)}"
            )


def embodiment_of(
    episodes: Sequence[EpisodeArrays], *, action_names: Sequence[str] | None = None
) -> Embodiment:
    """Return what these episodes have in common, refusing those that differ.

    Args:
        episodes: Of one robot.
        action_names: Names of the action's dimensions, in order; None when unknown.
    """
    found = {
        Embodiment(
            cameras=tuple(sorted(e.images)),
            state_dim=e.states.shape[1],
            action_dim=e.actions.shape[1],
        )
        for e in episodes
    }
    if len(found) != 1:
        raise ValueError(
            f"episodes of different robots cannot train one policy, got {sorted(map(str, found))}: "
            "select those of one robot"
        )
    return replace(found.pop(), action_names=None if action_names is None else tuple(action_names))


def check_embodiment(config: PI05RLConfig, embodiment: Embodiment, start: str | None) -> None:
    """Refuse to train the policy `start` on episodes of another robot.

    Raises:
        ValueError: Saying what differs.
    """
    has = Embodiment(
        cameras=tuple(sorted(n.removeprefix(f"{OBS_IMAGES}.") for n in config.image_features)),
        state_dim=config.robot_state_feature.shape[0],
        action_dim=config.action_feature.shape[0],
    )
    if has != replace(embodiment, action_names=None, cameras=tuple(sorted(embodiment.cameras))):
        raise ValueError(f"{start} is for {has}, the episodes are of {embodiment}")
    names = config.action_feature_names
    if names and embodiment.action_names and tuple(names) != embodiment.action_names:
        raise ValueError(
            f"{start} moves {', '.join(names)}, the episodes are of a robot with "
            f"{', '.join(embodiment.action_names)}: choose episodes of the same robot"
        )
