"""Makes rigs from robot configs, through LeRobot; the only place of the actor that imports it.

Importing LeRobot takes ten seconds, so it happens when it is needed, and early: see `warm_up`.
"""

import gc
import importlib
import logging
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

from backend.actor.checkpoint_files import (
    CheckpointUnfitError,
    check_fit,
    checkpoints_on_disk,
    find_checkpoint,
)
from backend.actor.clock import Clock
from backend.actor.fetching import Files, NotFetchedError
from backend.actor.priority import HELPER_PRIORITY, run_on_time
from backend.actor.rig import Rig, RigRefusedError, RobotFacts
from backend.checkpoints import CHECKPOINT_ID, CHECKPOINTS_DIR
from backend.control import (
    ActingPolicy,
    Arm,
    LeadingInput,
    RobotFaultError,
    ThreadedCameras,
)
from backend.learning.published_files import WEIGHTS_ID, weights_folder
from backend.robots.config import ROBOTS_DIR, RobotConfig, RobotConfigError, policies_of
from backend.robots.folders import RobotFolders
from backend.robots.preflight_finding import Level, in_words, may_move

log = logging.getLogger(__name__)


class LeRobotRigs:
    """The rigs of robot configs by name, or of config files anywhere, and a folder's checkpoints.

    Args:
        default_robot: What `warm_up` prepares for.
        data_dir: Where checkpoints are found by their id, and own robot configs by their name.
        robots_dir: Where the other robot configs are.
        clock: Measures how long policies think.
        files: Brings those that the server has and `data_dir` has not; None where all are here.
    """

    def __init__(
        self,
        *,
        default_robot: str,
        data_dir: Path,
        clock: Clock,
        robots_dir: Path = ROBOTS_DIR,
        files: Files | None = None,
    ) -> None:
        self._default_robot = default_robot
        self._data_dir = data_dir
        self._robots = RobotFolders.of(data_dir, shipped=robots_dir)
        self._clock = clock
        self._files = files
        # One checkpoint is loaded at a time: imports and memory are shared by all.
        self._loading = threading.Lock()

    def warm_up(self) -> None:
        """Import LeRobot and what the default robot needs; what fails here fails again at open."""
        try:
            _make().make_arm(self._config(self._default_robot))
        except (RigRefusedError, RobotConfigError) as error:
            log.warning("%s cannot be opened as it is: %s", self._default_robot, error)
        if checkpoints_on_disk(self._data_dir):
            _thinking()

    def facts(self, robot: str) -> RobotFacts:
        """What the config says; LeRobot is not imported."""
        config = self._config(robot)
        return RobotFacts(
            robot=config.name,
            fps=config.fps,
            task=config.task,
            episode_time_s=config.episode_time_s,
            policies=(*policies_of(config), *checkpoints_on_disk(self._data_dir)),
        )

    def connect(self, robot: str, policy: str) -> Rig:
        """Make everything, look it over, connect: what is wrong fails before anything moves."""
        config = self._config(robot)
        make = _make()
        try:
            arm = make.make_arm(config, now_s=self._clock.now_s)
            rig = Rig(
                facts=self.facts(robot),
                arm=arm,
                human=make.make_input(config, arm),
                policy=make.make_policy(policy, config, arm)
                if policy in policies_of(config)
                else self.load_policy(policy, arm),
            )
        except RobotConfigError as error:
            raise RigRefusedError(str(error)) from error
        try:
            rig = replace(rig, cautions=_look_over(config))
            arm.connect()
            _read_cameras_on_time(arm)
            if isinstance(rig.human, LeadingInput):
                rig.human.connect()
        except BaseException:
            rig.close()
            raise
        # LeRobot and torch leave half a million objects that live for ever; a collection that
        # walked over them would stop the loop for longer than one of its periods.
        gc.collect()
        gc.freeze()
        return rig

    def _config(self, robot: str) -> RobotConfig:
        try:
            return self._robots.load(robot)
        except RobotConfigError as error:
            raise RigRefusedError(str(error)) from error

    def load_policy(self, policy: str, arm: Arm) -> ActingPolicy:
        """Check, then load, then try once: what is broken says so before it drives."""
        try:
            checkpoint = find_checkpoint(self._data_dir, self._present(policy))
            check_fit(checkpoint, arm)
            with self._loading:
                chunks, checkpoint_model = _thinking()
                model = checkpoint_model.CheckpointModel.load(checkpoint.path)
                # The first thought is the slowest one, by seconds on a GPU.
                model.rehearse(arm)
        except CheckpointUnfitError as error:
            raise RigRefusedError(str(error)) from error
        except Exception as error:
            # Torch, safetensors and LeRobot raise many kinds; all of them speak of this checkpoint.
            log.exception("checkpoint %s cannot be loaded", policy)
            raise RigRefusedError(
                f"checkpoint {policy} cannot be loaded: {type(error).__name__}: {error}; choose "
                "another one, the actor's log has the details"
            ) from error
        player: ActingPolicy = chunks.ChunkPlayer(
            model,
            name=checkpoint.id,
            checkpoint_id=checkpoint.id,
            fps=arm.fps,
            now_s=self._clock.now_s,
        )
        return player

    def _present(self, policy: str) -> str:
        """The checkpoint as it is found on this computer, fetched from the server's if need be."""
        path = Path(policy)
        place = _place_of(policy)
        is_here = place is not None and (self._data_dir / place).is_dir()
        if self._files is None or is_here or (place is None and not path.is_absolute()):
            return policy
        try:
            brought = self._files.bring(place or policy)
        except NotFetchedError as error:
            # A folder that a person named may be one of this computer's.
            if path.is_absolute() and path.is_dir():
                return policy
            raise CheckpointUnfitError(str(error)) from error
        return policy if place else str(brought)


def _place_of(policy: str) -> str | None:
    """Where a data directory has the checkpoint or the weights of this id; None for no id."""
    if CHECKPOINT_ID.fullmatch(policy):
        return f"{CHECKPOINTS_DIR}/{policy}"
    published = WEIGHTS_ID.fullmatch(policy)
    if published is None:
        return None
    run = Path(CHECKPOINTS_DIR) / published["run"]
    return weights_folder(run, int(published["version"])).as_posix()


def _look_over(config: RobotConfig) -> tuple[str, ...]:
    """Raise RobotFaultError, with what to do, where something forbids the robot to move.

    Returns:
        What people should know of the motors: that an ended program left them stiff, for instance.
    """
    preflight = importlib.import_module("backend.robots.preflight")
    findings = preflight.check_to_open(config)
    for finding in findings:
        if finding.level is Level.WARNING:
            log.warning("%s: %s; %s", config.name, finding.message, finding.remedy)
    if not may_move(findings):
        raise RobotFaultError(f"it may not move yet. {in_words(findings)}")
    return tuple(
        f"{finding.message}: {finding.remedy}"
        for finding in findings
        if finding.level is Level.WARNING and finding.check == "servos"
    )


def _read_cameras_on_time(arm: Arm) -> None:
    """A picture that is late for want of a processor would hold the attempt as a broken camera.

    Started by the loop's thread, these would be the only ordinary ones beside it.
    """
    if isinstance(arm, ThreadedCameras):
        for thread in arm.camera_threads():
            run_on_time(HELPER_PRIORITY, thread=thread.native_id)


def _make() -> Any:
    return importlib.import_module("backend.robots.make")


def _thinking() -> tuple[Any, Any]:
    """The modules that need torch and the learning code; the first call takes seconds.

    A loop may be running meanwhile. Collections in the midst of a quarter of a million new objects
    would stop it for 280 ms, the imports themselves do for 30.
    """
    name = "backend.actor.checkpoint_model"
    is_new = name not in sys.modules
    if is_new:
        gc.disable()
    try:
        return importlib.import_module("backend.actor.chunks"), importlib.import_module(name)
    finally:
        if is_new:
            gc.freeze()
            gc.enable()
