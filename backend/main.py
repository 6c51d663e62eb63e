"""Puts the server together: settings in, one object with the FastAPI application out.

The only place that knows every part. `app` mounts its pages on `Backend.app` and serves it; tests
serve it bare. Starting and stopping happen in the application's lifespan, on its event loop.

No page, no route and no SQL is written here.
"""

import asyncio
import logging
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from fastapi import FastAPI
from starlette.requests import HTTPConnection

from backend.api.actor_files import actor_files_router
from backend.api.actor_process import ActorProcess
from backend.api.actor_socket import actor_router
from backend.api.actor_token import actor_token, new_nonce
from backend.api.app import make_app
from backend.api.auth import Gatekeeper, machine_names
from backend.api.clock import Clock
from backend.api.command_log import CommandRows
from backend.api.commands import CommandPath
from backend.api.control_socket import control_router
from backend.api.episode_inbox import EpisodeInbox
from backend.api.live import Live
from backend.api.live_socket import live_router
from backend.api.messages import ActorStatus
from backend.api.policy_offers import PolicyOffers
from backend.api.records import SessionRecords
from backend.api.robot_checks import RobotChecks
from backend.api.robot_previews import RobotPreviews
from backend.api.routes_checkpoints import checkpoints_router
from backend.api.routes_datasets import datasets_router
from backend.api.routes_docs import docs_router
from backend.api.routes_enter import enter_router
from backend.api.routes_episodes import episodes_router
from backend.api.routes_jobs import jobs_router
from backend.api.routes_labels import labels_router
from backend.api.routes_review import review_router
from backend.api.routes_robots import robots_router
from backend.api.routes_sandbox import sandbox_router
from backend.api.routes_scores import scores_router
from backend.api.routes_session import session_router
from backend.api.routes_statistics import statistics_router
from backend.api.routes_system import system_router
from backend.api.routes_training import training_router
from backend.api.routes_upload import upload_router
from backend.api.routes_uploads import uploads_router
from backend.api.routes_user import user_router
from backend.api.routes_video_rule import video_rule_router
from backend.db.engine import Database, migrate, open_database
from backend.jobs.online_orders import LearnerOrders
from backend.jobs.runner import JobRunner
from backend.jobs.video_rule import PeriodicVideos
from backend.review import complete_scores
from backend.robots.config import RobotConfigError
from backend.robots.folders import RobotFolders
from backend.sandbox.bundle import Sandbox
from backend.settings import Settings, SettingsError

log = logging.getLogger(__name__)
VERSION = "0.1.0"
# Free disk changes and other programs label: look now and then.
REFRESH_INTERVAL_S = 5.0


@dataclass(kw_only=True)
class Backend:
    """The server without its pages. `close()` may be repeated."""

    app: FastAPI
    settings: Settings
    live: Live
    database: Database
    gatekeeper: Gatekeeper
    jobs: JobRunner
    records: SessionRecords
    # None when this server starts none.
    actor: ActorProcess | None

    @property
    def user_of(self) -> Callable[[HTTPConnection], str | None]:
        """For Gradio's `auth_dependency`: the caller's name, None for nobody."""
        return self.gatekeeper.user_name

    def close(self) -> None:
        """Let go of everything, also when the application was never served."""
        if self.actor is not None:
            self.actor.stop()
        self.jobs.close()
        self.records.close()
        self.database.close()


def prepare_database(settings: Settings) -> str:
    """Make the data directory and bring the schema up to date; return the database's address.

    Raises:
        DatabaseRefusedError: The database cannot be used where or as it is.
    """
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    migrate(settings.sqlalchemy_url)
    return settings.sqlalchemy_url


def build_backend(settings: Settings, *, clock: Clock | None = None) -> Backend:
    """Prepare the data directory and the database, and build the application on them.

    Nothing runs before the application is served: actor and jobs start in its lifespan.

    Raises:
        SettingsError: The robot config cannot be used.
        DatabaseRefusedError: The database cannot be used where or as it is.
    """
    clock = clock or Clock()
    data_dir = settings.data_dir.absolute()
    robots = RobotFolders.of(data_dir, shipped=settings.robots_dir)
    if settings.actor:
        _check_robot(robots, settings.robot)
    database = open_database(prepare_database(settings))
    gatekeeper = Gatekeeper(settings, machine_names=machine_names())
    token = actor_token(data_dir, os.environ)
    actor = _actor(settings, data_dir) if settings.actor else None
    inbox = EpisodeInbox(data_dir, wall_s=clock.wall_s)
    live = Live(
        clock=clock,
        data_dir=data_dir,
        robot=settings.robot,
        policy=settings.policy,
        profile=settings.profile,
        actor_process=actor.status if actor else lambda: _no_actor(settings),
        uploads=inbox.coming,
    )
    jobs = JobRunner(database, data_dir, clock=clock.wall_s)
    offers = PolicyOffers(live, database, data_dir, LearnerOrders(database, jobs))
    records = SessionRecords(live, database, data_dir=data_dir, inbox=inbox)
    previews = RobotPreviews(phase=lambda: live.line.phase, monotonic_s=clock.monotonic_s)
    commands = CommandPath(
        live, CommandRows(database, wall_s=clock.wall_s), before_open=previews.stop
    )

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        await records.start()
        await asyncio.to_thread(complete_scores, database, data_dir)
        await offers.look()
        tasks = [
            asyncio.create_task(live.tell_changes()),
            asyncio.create_task(_refresh(records)),
            asyncio.create_task(offers.follow()),
            asyncio.create_task(_make_videos(PeriodicVideos(database, data_dir, jobs))),
        ]
        jobs.start()
        if actor is not None:
            _watch(actor, live, records)
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            if actor is not None:
                await asyncio.to_thread(actor.stop)
            # Nobody answers any more.
            live.actor_ended()
            await commands.finish()
            await previews.stop()
            # The actor may have ended an episode on its way out.
            records.look_again()
            await records.finish()
            records.close()
            await asyncio.to_thread(jobs.close)

    app = make_app(
        [
            enter_router(gatekeeper),
            docs_router(),
            live_router(live),
            control_router(live, commands),
            actor_router(live, commands, records, token=token, nonce=new_nonce(data_dir)),
            actor_files_router(data_dir, token=token),
            upload_router(inbox, live, records, token=token),
            uploads_router(inbox, live, records, database, data_dir),
            session_router(live, commands),
            episodes_router(database, data_dir, records),
            statistics_router(database),
            jobs_router(jobs, database, data_dir),
            labels_router(database, clock, records),
            review_router(database, data_dir),
            datasets_router(database, data_dir, wall_s=clock.wall_s),
            training_router(database, data_dir, jobs),
            checkpoints_router(live, database, data_dir),
            scores_router(database, data_dir),
            video_rule_router(database, data_dir, wall_s=clock.wall_s),
            robots_router(
                RobotChecks(data_dir=data_dir, phase=lambda: live.line.phase, wall_s=clock.wall_s),
                previews,
                folders=robots,
                default_robot=settings.robot,
                clock=clock,
            ),
            user_router(),
            sandbox_router(
                Sandbox(database, data_dir, wanted=settings.sandbox),
                live=live,
                database=database,
                records=records,
                clock=clock,
            ),
            system_router(live, data_dir, version=VERSION),
        ],
        gatekeeper=gatekeeper,
        version=VERSION,
        lifespan=lifespan,
    )
    return Backend(
        app=app,
        settings=settings,
        live=live,
        database=database,
        gatekeeper=gatekeeper,
        jobs=jobs,
        records=records,
        actor=actor,
    )


async def _refresh(records: SessionRecords) -> None:
    while True:
        await asyncio.sleep(REFRESH_INTERVAL_S)
        records.refresh()


async def _make_videos(periodic: PeriodicVideos) -> None:
    while True:
        await asyncio.sleep(REFRESH_INTERVAL_S)
        try:
            await asyncio.to_thread(periodic.look)
        except Exception:
            # A busy database or a full disk may be well again in five seconds; and whatever else it
            # was, nobody would start this task again.
            log.exception("no critic video could be ordered; trying again")


def _actor(settings: Settings, data_dir: Path) -> ActorProcess:
    robot = settings.robot
    # The actor runs in the repository, wherever this server was started.
    if Path(robot).suffix:
        robot = str(Path(robot).expanduser().absolute())
    return ActorProcess(
        [
            *(sys.executable, "-m", "backend.actor"),
            *("--server", settings.actor_url),
            *("--robot", robot),
            *("--policy", settings.policy),
            *("--data-dir", str(data_dir)),
            *("--robots-dir", str(settings.robots_dir.absolute())),
            *("--leave-after-s", "600"),
        ],
        data_dir=data_dir,
        server_url=settings.actor_url,
    )


def _watch(actor: ActorProcess, live: Live, records: SessionRecords) -> None:
    loop = asyncio.get_running_loop()

    def ended(message: str) -> None:
        live.actor_ended()
        live.notify("error", "actor_ended", message)
        records.look_again()

    actor.start(
        changed=lambda: loop.call_soon_threadsafe(live.changed),
        ended=lambda message: loop.call_soon_threadsafe(ended, message),
    )


def _no_actor(settings: Settings) -> ActorStatus:
    return ActorStatus(
        state="stopped",
        message="No actor is connected and this server starts none (--no-actor). Start one: "
        f"python -m backend.actor --server {settings.actor_url}",
    )


def _check_robot(robots: RobotFolders, robot: str) -> None:
    try:
        robots.load(robot)
    except RobotConfigError as error:
        raise SettingsError(f"--robot: {error}") from error
