"""`/api/robots`: what there is; look a robot over, see through its cameras, change its config."""

from pathlib import Path
from typing import Any

from fastapi import APIRouter, Response
from pydantic import Field

from backend.api.clock import Clock
from backend.api.errors import ApiError, NotFoundError, responses
from backend.api.messages import Documented
from backend.api.robot_checks import RobotCheck, RobotChecks
from backend.api.robot_fields import RobotConfigNow, robot_fields
from backend.api.robot_previews import RobotPreview, RobotPreviews
from backend.api.routes_session import Caller
from backend.domain import Role
from backend.robots.config import RobotConfig, RobotConfigError, load_robot_config, policies_of
from backend.robots.config_text import ConfigTextError, with_changes
from backend.robots.folders import RobotFolders


class RobotChoice(Documented):
    """One robot config."""

    name: str
    own: bool = False
    """Whether it is a person's own, which may be changed; the others come with Handrail."""
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


class CheckBody(Documented):
    """What to look at."""

    cameras_only: bool = Field(default=False)
    """Take a new picture of each camera; all else that was found before stays."""


class Change(Documented):
    """A value of a config."""

    path: list[str] = Field(min_length=1)
    """Keys from the top of the file down."""
    value: Any = None


class SaveBody(Documented):
    """An own config: another one with changes, or a text."""

    base: str = ""
    """Which config the changes are made to; with a text it may be left out."""
    changes: list[Change] = Field(default_factory=list)
    text: str | None = Field(default=None, max_length=100_000)
    """The whole file, YAML; instead of changes."""


def robots_router(
    checks: RobotChecks,
    previews: RobotPreviews,
    *,
    folders: RobotFolders,
    default_robot: str,
    clock: Clock,
) -> APIRouter:
    """Args:
    checks: Runs them.
    previews: Runs them.
    folders: Where robot configs are.
    default_robot: What the server was started with, a name in there or the path of a config.
    clock: Names what a config was before it was changed.
    """
    router = APIRouter(prefix="/api/robots", tags=["system"])
    path = Path(default_robot)

    def path_of(name: str) -> Path:
        """The file of a config, which may be wrong."""
        if path.suffix and path.stem == name:
            return path
        try:
            return folders.path_of(name)
        except RobotConfigError as error:
            raise NotFoundError(
                "robot config", name, hint="/api/robots lists what there is."
            ) from error

    def config_of(name: str) -> RobotConfig:
        try:
            return load_robot_config(path_of(name))
        except RobotConfigError as error:
            raise ApiError(
                422, "config", str(error), hint="Correct it, then check again."
            ) from error

    def now(name: str) -> RobotConfigNow:
        source = path_of(name)
        text = source.read_text(encoding="utf-8", errors="replace")
        own = folders.is_own(name)
        try:
            config = load_robot_config(source)
        except RobotConfigError as error:
            return RobotConfigNow(
                name=name, own=own, source=str(source), text=text, problem=str(error)
            )
        return RobotConfigNow(
            name=name,
            own=own,
            source=str(source),
            text=text,
            fields=robot_fields(config, text),
            views={camera: view.as_config() for camera, view in config.cameras_view.items()},
        )

    @router.get("", summary="List robot configs", responses=responses())
    def list_robots() -> RobotList:
        """Every config, own ones and those that come with Handrail, with what is wrong with it."""
        items = [_choice(name, folders) for name in folders.names()]
        return RobotList(items=items, total=len(items))

    @router.post("/{name}/check", summary="Look a robot over", responses=responses(404, 409))
    async def check(name: str, user: Caller, body: CheckBody | None = None) -> RobotCheck:
        """Look at ports, calibration, motors, cameras, disk and speed, and answer with findings.

        Takes some seconds, in which `GET` tells how far it is. Nothing moves. Refused with 409
        while a session is open or another check runs.
        """
        user.require(Role.OPERATOR, "check a robot")
        config = config_of(name)
        await previews.stop()
        return await checks.check(config, cameras_only=body is not None and body.cameras_only)

    @router.get("/{name}/check", summary="Show the newest check", responses=responses(404))
    async def show(name: str) -> RobotCheck:
        """What the newest check of a robot found, or how far it is."""
        return checks.newest(config_of(name).name)

    @router.get(
        "/{name}/pictures/{camera}.jpg",
        summary="Show a camera's picture",
        responses={**responses(404), 200: {"content": {"image/jpeg": {}}}},
        response_class=Response,
    )
    async def show_picture(name: str, camera: str) -> Response:
        """What the newest check saw through a camera, as JPEG, cropped as a session sees it."""
        return _jpeg(checks.picture(name, camera), camera, "Check the robot first.")

    @router.get("/{name}/config", summary="Show a robot config", responses=responses(404))
    def show_config(name: str) -> RobotConfigNow:
        """Its text, and each of its values with unit, default and explanation."""
        return now(name)

    @router.put("/{name}/config", summary="Save an own robot config", responses=responses(404, 409))
    def save_config(name: str, body: SaveBody, user: Caller) -> RobotConfigNow:
        """Write a config into `robots/` of the data directory, comments included.

        A config that breaks a rule is refused with 422 and changes nothing; one that comes with
        Handrail is not written to, 409: give the copy a name of its own. What an own config was
        before is kept in `robots/former/`.
        """
        user.require(Role.OPERATOR, "change a robot config")
        if name in folders.names() and not folders.is_own(name):
            raise ApiError(
                409,
                "shipped",
                f"{name} comes with Handrail and stays as it is",
                hint="Save it under another name.",
            )
        text = body.text
        try:
            if text is None:
                base = path_of(body.base or name).read_text(encoding="utf-8")
                text = with_changes(base, [(tuple(c.path), c.value) for c in body.changes])
            folders.save(name, text, wall_s=clock.wall_s())
        except (RobotConfigError, ConfigTextError) as error:
            raise ApiError(
                422, "config", str(error), hint="Nothing was saved; correct it and save again."
            ) from error
        return now(name)

    @router.post("/{name}/preview", summary="Open the cameras", responses=responses(404, 409))
    async def start_preview(name: str, user: Caller) -> RobotPreview:
        """Begin to look through a robot's cameras; the motors are left alone.

        Goes on for as long as pictures are asked for. Refused with 409 while a session is open.
        """
        user.require(Role.OPERATOR, "open a robot's cameras")
        return await previews.start(config_of(name))

    @router.get("/{name}/preview", summary="Show the preview's state", responses=responses(404))
    async def show_preview(name: str) -> RobotPreview:
        """Which cameras give pictures, and what is wrong with the others."""
        return previews.now(config_of(name).name)

    @router.delete("/{name}/preview", summary="Close the cameras", responses=responses(404))
    async def stop_preview(name: str, user: Caller) -> RobotPreview:
        """Let go of the cameras at once."""
        user.require(Role.OPERATOR, "close a robot's cameras")
        await previews.stop()
        return previews.now(config_of(name).name)

    @router.get(
        "/{name}/preview/{camera}.jpg",
        summary="Show a camera's newest picture",
        responses={**responses(404), 200: {"content": {"image/jpeg": {}}}},
        response_class=Response,
    )
    async def show_preview_picture(name: str, camera: str) -> Response:
        """What a camera sees now, as JPEG, whole and at most 640 pixels wide."""
        return _jpeg(previews.picture(name, camera), camera, "Open the cameras first.")

    return router


def _jpeg(jpeg: bytes | None, camera: str, hint: str) -> Response:
    if jpeg is None:
        raise NotFoundError("picture of camera", camera, hint=hint)
    return Response(jpeg, media_type="image/jpeg", headers={"cache-control": "no-store"})


def _choice(name: str, folders: RobotFolders) -> RobotChoice:
    own = folders.is_own(name)
    try:
        config = folders.load(name)
    except RobotConfigError as error:
        return RobotChoice(name=name, own=own, problem=str(error))
    return RobotChoice(
        name=name,
        own=own,
        robot_type=str(config.robot.get("type", "")),
        cameras=list(config.robot.get("cameras") or {}),
        fps=config.fps,
        task=config.task,
        policies=policies_of(config),
    )
