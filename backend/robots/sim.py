"""The simulated SO-101: what its LeRobot robot (`sim_so_follower`) needs to be driven live.

- Real time: one action of a loop at `fps` advances 1/fps of physics.
- Pictures within the loop's budget: no shadows, thinned-out meshes, cameras a person can drive by.
- A calibration without a person: the one file LeRobot asks for is written into a temporary folder
  and read at once; the user's home is not touched.
- A new scene at every reset, drawn from one seed.

The GL context belongs to the thread that calls `connect`; all else is called on that thread too.
What the simulator knows and a robot does not (`success`, `object_pose`, `tool_pose`) is reported as
privileged, for experts, tests and benchmarks.
"""

import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from so101_nexus import config as nexus
from so101_nexus.lerobot_adapter import SimSOFollower, SimSOFollowerConfig
from so101_nexus.lerobot_adapter.synthetic_calibration import write_synthetic_calibration
from so101_nexus.mujoco.pick_env import PickEnv
from so101_nexus.mujoco.touch_env import TouchEnv
from so101_nexus.objects import CubeObject
from so101_nexus.observations import (
    EndEffectorPose,
    GraspState,
    ObjectPose,
    OverheadCamera,
    WristCamera,
)
from so101_nexus.rendering import RenderingQuality
from so101_nexus.teleop.leader import import_backend_for_env_id

from backend.control import Observation
from backend.robots.arm import LeRobotArm
from backend.robots.config import RobotConfig, RobotConfigError, SceneConfig, suggest
from backend.robots.light_meshes import thin_out, upload_meshes

# Shadows cost more than everything else together when there is no GPU.
QUALITY = RenderingQuality(msaa_samples=0, shadows=False)
# The simulator's gripper joint over its 0 to 100.
GRIPPER_DEG = (-10.0, 100.0)
SETTLE_S = 0.3


class SimArm(LeRobotArm):
    """The simulated SO-101 as an `Arm`. Its reset pose is where each new scene starts.

    Args:
        config: A config whose `robot.type` is `sim_so_follower`.
        robot_config: LeRobot's part of it, decoded.
        seed: Seed of the scenes' order; None takes the config's own.
        wall_s: Unix time in seconds.
    """

    def __init__(
        self,
        config: RobotConfig,
        robot_config: SimSOFollowerConfig,
        *,
        seed: int | None = None,
        wall_s: Callable[[], float] = time.time,
    ) -> None:
        self._scene = config.scene or SceneConfig()
        self._scene_seeds = np.random.default_rng(self._scene.seed if seed is None else seed)
        self._scene_seed = int(self._scene_seeds.integers(2**31))
        super().__init__(config, _make_robot(config, self._scene, robot_config), wall_s=wall_s)
        self._rendered_s = 0.0
        # Replaced as a whole, because `newest_frames` is read by other threads.
        self._newest: dict[str, tuple[np.ndarray, float]] = {}

    def connect(self) -> None:
        self._robot.config.seed = self._scene_seed
        super().connect()
        self._improve_pictures()
        self._start_scene()

    def observe(self) -> Observation:
        if self._rendered_s == 0.0:
            self._rendered_s = self._wall_s()
        return super().observe()

    def act(self, action: np.ndarray) -> np.ndarray:
        executed = super().act(action)
        # The step has rendered the pictures that the next observation hands out.
        self._rendered_s = self._wall_s()
        self._newest = {
            name: (self._cameras.picture(name, picture), self._rendered_s)
            for name, picture in self._robot._camera_frames.items()
            if name in self.cameras
        }
        return executed

    def newest_frames(self) -> dict[str, tuple[np.ndarray, float]]:
        """The pictures of the last action, most of a period before `observe` hands them out."""
        return self._newest

    def begin_reset(self) -> None:
        super().begin_reset()
        self._scene_seed = int(self._scene_seeds.integers(2**31))
        self._start_scene()

    def reset_action(self, state: np.ndarray) -> np.ndarray | None:  # noqa: ARG002
        """A new scene starts with the arm at its reset pose: there is no way to go."""
        return None

    def _start_scene(self) -> None:
        self._newest = {}
        self._robot.reset(seed=self._scene_seed)
        self._rendered_s = 0.0
        self.observe()

    def _frame_times(self) -> dict[str, float]:
        return dict.fromkeys(self.cameras, self._rendered_s)

    def _privileged(self, values: dict[str, Any]) -> dict[str, object]:
        step = self._robot.last_step_info()
        known: dict[str, object] = {
            "success": bool(step is not None and step.info.get("success", False)),
            "scene_seed": self._scene_seed,
        }
        state = values.get("environment_state")
        if state is not None:
            # World frame: position in metres, then a quaternion [w, x, y, z].
            known["tool_pose"] = state[:7]
            if len(state) > 7:
                known["object_pose"], known["grasped"] = state[7:14], bool(state[14] > 0.5)
        return known

    def _improve_pictures(self) -> None:
        environment = self._robot._env.unwrapped
        thin_out(environment.model)
        for renderer in (environment._wrist_renderer, environment._overhead_obs_renderer):
            if renderer is not None:
                upload_meshes(environment.model, renderer)
        camera = environment._overhead_obs_cam
        if camera is not None:
            camera.lookat[:] = (*self._scene.overhead_lookat_m, 0.0)
            camera.distance = self._scene.overhead_distance_m
            camera.elevation = self._scene.overhead_elevation_deg
            camera.azimuth = self._scene.overhead_azimuth_deg


def _make_robot(
    config: RobotConfig, scene: SceneConfig, robot_config: SimSOFollowerConfig
) -> SimSOFollower:
    environment = _environment(config, scene, robot_config)
    with tempfile.TemporaryDirectory(prefix="handrail-sim-") as folder:
        calibration_dir = robot_config.calibration_dir
        if calibration_dir is None:
            calibration_dir = Path(folder)
            write_synthetic_calibration(calibration_dir, robot_config.id or config.name)
        return SimSOFollower(
            replace(
                robot_config,
                id=robot_config.id or config.name,
                calibration_dir=calibration_dir,
                env_kwargs={
                    "robot_init_qpos_noise": 0.0,
                    **robot_config.env_kwargs,
                    "config": environment,
                },
            )
        )


def _environment(
    config: RobotConfig, scene: SceneConfig, robot_config: SimSOFollowerConfig
) -> nexus.EnvironmentConfig:
    """Build the simulator's own config: clock, scene, cameras, start pose."""
    source = str(config.source)
    task = _task_class(source, robot_config.env_id)
    arguments: dict[str, Any] = {}
    observations: list[Any] = [EndEffectorPose()]
    if issubclass(task, PickEnv):
        observations += [ObjectPose(), GraspState()]
        arguments["objects"] = CubeObject(side_length_mm=scene.cube_side_mm, color=scene.cube_color)
    if issubclass(task, TouchEnv):
        arguments["touch_margin"] = scene.touch_margin_m
    wanted = {camera.source: camera for camera in robot_config.cameras.values()}
    for name, camera in wanted.items():
        size = {"width": camera.width, "height": camera.height, "quality": QUALITY}
        if name == "overhead_camera":
            observations.append(OverheadCamera(**size))
        elif name == "wrist_camera":
            observations.append(_wrist_camera(scene, size))
        elif name != "render":
            known = ("overhead_camera", "wrist_camera", "render")
            raise RobotConfigError(
                source, "robot.cameras", f"no source {name!r}; {suggest(name, known)}"
            )
    return task.default_config_cls(
        physics=nexus.PhysicsConfig(control_period_s=1 / config.fps),
        render=nexus.RenderConfig(quality=QUALITY),
        robot=_start_pose(config),
        observations=observations,
        terminate_on_success=False,
        reset_settle_frames=round(SETTLE_S * config.fps),
        spawn_center=scene.spawn_center_m,
        spawn_min_radius=scene.spawn_min_radius_m,
        spawn_max_radius=scene.spawn_max_radius_m,
        spawn_angle_half_range_deg=scene.spawn_half_angle_deg,
        robot_colors=scene.robot_color,
        ground_colors=scene.ground_color,
        **arguments,
    )


def _wrist_camera(scene: SceneConfig, size: dict[str, Any]) -> WristCamera:
    """A camera that stays where it was screwed on."""
    return WristCamera(
        **size,
        fov_deg_range=(scene.wrist_fov_deg,) * 2,
        pitch_deg_range=(scene.wrist_pitch_deg,) * 2,
        pos_x_noise=0.0,
        pos_y_noise=0.0,
        pos_z_noise=0.0,
    )


def _start_pose(config: RobotConfig) -> nexus.RobotConfig:
    if config.reset.pose is None:
        return nexus.RobotConfig()
    *joints, gripper = (config.reset.pose[f"{name}.pos"] for name in nexus.SO101_JOINT_NAMES)
    low, high = GRIPPER_DEG
    return nexus.RobotConfig(rest_qpos_deg=(*joints, low + (high - low) * gripper / 100))


def _task_class(source: str, env_id: str) -> Any:
    try:
        import_backend_for_env_id(env_id)
        entry_point = gymnasium.spec(env_id).entry_point
    except (ValueError, gymnasium.error.Error) as error:
        known = [name for name in gymnasium.registry if name.startswith("MuJoCo")]
        raise RobotConfigError(
            source, "robot.env_id", f"no simulation {env_id!r}; {suggest(env_id, known)}"
        ) from error
    return gymnasium.envs.registration.load_env_creator(entry_point)
