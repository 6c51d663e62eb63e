"""What the benchmark compares, in numbers: task, demonstrations, rounds, model, training.

A setting is all that decides a result besides the seed. Its name is part of where results are
kept, so a changed number needs a new name.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from backend.learning.config import LearnerConfig
from backend.learning.config_files import load_config
from backend.robots.config import RobotConfig, SceneConfig, load_robot_config
from backend.robots.experts import Slips
from benchmarks.improvement.demonstrators import Halts

# Methods that collect attempts of their own in later rounds.
PRESETS = ("recap", "seed")


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One comparison."""

    name: str
    # Of configs/robots; what is said of cameras and scene here replaces what it says.
    robot: str
    # Square ones of `image_px`; None: the config's own.
    cameras: tuple[str, ...] | None = ("overhead",)
    image_px: int = 96
    scene: dict[str, Any] = field(default_factory=dict)
    # Attempts of the clumsy expert; those that succeed are the demonstrations.
    demonstrations: int = 80
    slips: Slips = field(default_factory=Slips)
    # How the expert's hand stops now and then; None: never.
    halts: Halts | None = None
    # Time a demonstration may take, seconds; None: that of an attempt.
    demonstration_limit_s: float | None = None
    # Rounds of collecting and training, and attempts of each.
    rounds: int = 1
    attempts: int = 60
    # Share of the collected attempts in which the oracle takes over when the arm is stuck.
    helps_share: float = 0.5
    # How long the arm comes no nearer before it does, seconds.
    stuck_s: float = 1.5
    # An attempt that lasts longer has failed, seconds.
    limit_s: float = 6.0
    # Attempts that judge a policy.
    evaluations: int = 100
    # Updates of the actor, the same for every method, and of the critic before it.
    actor_steps: int = 1500
    critic_steps: int = 600
    # And after it.
    critic_refit_steps: int = 300
    chunk_size: int = 8
    # Of every policy when it acts: see `ModelConfig.acting_noise`.
    acting_noise: float = 0.0
    # Actions of a chunk that are played before the next one is thought of.
    replan: int = 6
    # Laid over the learner's config, for `seed` and for `recap`.
    seed_overrides: dict[str, Any] = field(default_factory=dict)
    recap_overrides: dict[str, Any] = field(default_factory=dict)

    def robot_config(self) -> RobotConfig:
        """The robot of this setting; the oracle, not the loop, decides when time is up."""
        config = load_robot_config(self.robot)
        cameras = config.robot["cameras"]
        if self.cameras is not None:
            size = {"width": self.image_px, "height": self.image_px, "fps": round(config.fps)}
            cameras = {
                name: {"type": "sim", "source": f"{name}_camera", **size} for name in self.cameras
            }
        return replace(
            config,
            episode_time_s=100 * self.limit_s,
            robot={**config.robot, "cameras": cameras},
            scene=replace(config.scene or SceneConfig(), **self.scene),
        )

    def learner_config(self, method: str, *, seed: int, start: Path | None = None) -> LearnerConfig:
        """How `method` learns, from the checkpoint in folder `start` or from random weights."""
        common = {
            "model.start_from": None if start is None else str(start),
            "model.chunk_size": self.chunk_size,
            "model.acting_noise": self.acting_noise,
            "data.held_out_fraction": 0.0,
            "schedule.save_every": 1_000_000,
            "seed": seed,
        }
        if method == "seed":
            return load_config(
                "seed_tiny",
                {**common, "schedule.joint_steps": self.actor_steps} | self.seed_overrides,
            )
        if method == "recap":
            return load_config(
                "recap_tiny",
                {
                    **common,
                    "schedule.critic_steps": self.critic_steps,
                    "schedule.critic_refit_steps": self.critic_refit_steps,
                    "schedule.actor_steps": self.actor_steps,
                }
                | self.recap_overrides,
            )
        return load_config(
            "recap_tiny",
            {
                **common,
                "words.mode": "none",
                "schedule.critic_steps": 0,
                "schedule.actor_steps": 1 if method == "untrained" else self.actor_steps,
            },
        )


# Looks at the table from before the arm: from above the arm hides the cube that it nears.
FROM_THE_FRONT = {
    "overhead_lookat_m": (0.22, 0.0),
    "overhead_distance_m": 0.4,
    "overhead_elevation_deg": -45.0,
    "overhead_azimuth_deg": 180.0,
}

SETTINGS = {
    setting.name: setting
    for setting in (
        Setting(
            name="pauses",
            robot="so101_sim_touch",
            scene={"spawn_min_radius_m": 0.08, "touch_margin_m": 0.02, **FROM_THE_FRONT},
            demonstrations=160,
            slips=Slips(share=0.2, noticed_share=1.0, notices_s=(0.5, 1.5)),
            halts=Halts(every_s=1.2, lasts_s=(0.4, 1.0)),
            demonstration_limit_s=8.0,
            attempts=80,
            limit_s=2.8,
            stuck_s=0.3,
            actor_steps=1000,
        ),
        Setting(
            name="pick",
            robot="so101_sim_pick",
            cameras=("overhead", "wrist"),
            scene={"spawn_half_angle_deg": 30.0},
            limit_s=10.0,
            demonstrations=120,
            actor_steps=3000,
        ),
    )
}


def quick(setting: Setting) -> Setting:
    """The smallest run that goes through every cell; its numbers mean nothing."""
    return replace(
        setting,
        name=f"{setting.name}-quick",
        rounds=1,
        demonstrations=6,
        attempts=4,
        evaluations=4,
        actor_steps=4,
        critic_steps=4,
        critic_refit_steps=4,
        slips=replace(setting.slips, share=0.0),
    )
