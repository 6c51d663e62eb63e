"""The server itself, and the robots it could open."""

import shutil
from pathlib import Path

from fastapi import APIRouter
from pydantic import Field

from backend.api.errors import responses
from backend.api.live import Live
from backend.api.messages import ActorStatus, Documented
from backend.robots.config import (
    RobotConfigError,
    list_robot_configs,
    load_robot_config,
    policies_of,
)


class Health(Documented):
    """Whether the server lives, and what it is made of."""

    version: str
    uptime_s: float
    actor: ActorStatus
    disk_free_bytes: int
    """Of the disk that holds the data directory."""
    disk_total_bytes: int
    data_dir: str
    viewers: int


class RobotChoice(Documented):
    """One robot config."""

    name: str
    robot_type: str = ""
    """LeRobot's robot type and its cameras' names; empty when the config is wrong."""
    cameras: list[str] = Field(default_factory=list)
    fps: float | None = None
    task: str = ""
    policies: list[str] = Field(default_factory=list)
    problem: str = ""
    """What is wrong with the config and what to do; empty when it can be opened."""


class RobotList(Documented):
    """All robot configs, by name."""

    items: list[RobotChoice]
    total: int
    next_cursor: str | None = None


def system_router(live: Live, data_dir: Path, *, version: str) -> APIRouter:
    router = APIRouter(prefix="/api", tags=["system"])
    began_s = live.clock.monotonic_s()

    @router.get("/health", summary="Show the server's health", responses=responses())
    async def show_health() -> Health:
        """Version, uptime, the actor's state, and how much disk is left."""
        disk = shutil.disk_usage(data_dir)
        return Health(
            version=version,
            uptime_s=live.clock.monotonic_s() - began_s,
            actor=live.actor_status(),
            disk_free_bytes=disk.free,
            disk_total_bytes=disk.total,
            data_dir=str(data_dir),
            viewers=live.num_viewers,
        )

    @router.get("/robots", summary="List robot configs", responses=responses())
    def list_robots() -> RobotList:
        """Every config in `configs/robots`, those with mistakes included, saying which."""
        items = [_choice(name) for name in list_robot_configs()]
        return RobotList(items=items, total=len(items))

    return router


def _choice(name: str) -> RobotChoice:
    try:
        config = load_robot_config(name)
    except RobotConfigError as error:
        return RobotChoice(name=name, problem=str(error))
    return RobotChoice(
        name=name,
        robot_type=str(config.robot.get("type", "")),
        cameras=list(config.robot.get("cameras") or {}),
        fps=config.fps,
        task=config.task,
        policies=policies_of(config),
    )
