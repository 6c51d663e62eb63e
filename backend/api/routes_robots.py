"""`/api/robots/{name}`: look a robot over before it is opened, and see through its cameras."""

from pathlib import Path

from fastapi import APIRouter, Response
from pydantic import Field

from backend.api.errors import ApiError, NotFoundError, responses
from backend.api.messages import Documented
from backend.api.robot_checks import RobotCheck, RobotChecks
from backend.api.routes_session import Caller
from backend.domain import Role
from backend.robots.config import RobotConfig, RobotConfigError, load_robot_config


class CheckBody(Documented):
    """What to look at."""

    cameras_only: bool = Field(default=False)
    """Take a new picture of each camera; all else that was found before stays."""


def robots_router(checks: RobotChecks, *, robots_dir: Path, default_robot: str) -> APIRouter:
    """Args:
    checks: Runs them.
    robots_dir: Folder of robot configs.
    default_robot: What the server was started with, a name in there or the path of a config.
    """
    router = APIRouter(prefix="/api/robots", tags=["system"])

    def config_of(name: str) -> RobotConfig:
        path = Path(default_robot)
        wanted = path if path.suffix and path.stem == name else name
        try:
            return load_robot_config(wanted, robots_dir)
        except RobotConfigError as error:
            if not path.suffix and not any(robots_dir.glob(f"{name}.*")):
                raise NotFoundError(
                    "robot config", name, hint="/api/robots lists what there is."
                ) from error
            raise ApiError(
                422, "config", str(error), hint="Correct it, then check again."
            ) from error

    @router.post("/{name}/check", summary="Look a robot over", responses=responses(404, 409))
    async def check(name: str, user: Caller, body: CheckBody | None = None) -> RobotCheck:
        """Look at ports, calibration, motors, cameras, disk and speed, and answer with findings.

        Takes some seconds, in which `GET` tells how far it is. Nothing moves. Refused with 409
        while a session is open or another check runs.
        """
        user.require(Role.OPERATOR, "check a robot")
        config = config_of(name)
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
        jpeg = checks.picture(name, camera)
        if jpeg is None:
            raise NotFoundError("picture of camera", camera, hint="Check the robot first.")
        return Response(jpeg, media_type="image/jpeg", headers={"cache-control": "no-store"})

    return router
