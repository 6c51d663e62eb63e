"""`python -m backend.actor`: the process that owns the robot.

    python -m backend.actor --server ws://127.0.0.1:7860 --robot so101_sim_touch --policy hold \
        --data-dir data

Started by the server, or by hand on the robot's own computer, where episodes wait in its data
directory until the server has them (`docs/two_computers.md`). Its token is given with --token or
HANDRAIL_ACTOR_TOKEN, or is taken from `actor.token` in the data directory. SIGTERM and SIGINT end
an open attempt as aborted, let go of the robot and exit with 0; a killed process leaves a take that
can be recovered. This file builds the parts and waits; what they do is theirs.
"""

import argparse
import logging
import math
import os
import shutil
import signal
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path

from backend.actor.clock import SystemClock
from backend.actor.deadman import Deadman
from backend.actor.fetching import FetchedFiles
from backend.actor.inbox import Inbox
from backend.actor.link import Link
from backend.actor.loop import ControlLoop
from backend.actor.news import News
from backend.actor.place import Disk, Place
from backend.actor.presence import AnotherActorError, Presence
from backend.actor.priority import LOOP_PRIORITY, put_process_before_others, run_on_time
from backend.actor.promotion import Promotions
from backend.actor.recorder import Recorder, RecorderLimits
from backend.actor.rig import RigRefusedError
from backend.actor.rigging import LeRobotRigs
from backend.actor.safety import SafetyTimes
from backend.actor.server_http import ServerHttp
from backend.actor.session import LiveSession
from backend.actor.spool import Spool
from backend.actor.uploads import Uploads
from backend.episodes.store import EpisodeWriter
from backend.settings import ROBOTS_DIR

log = logging.getLogger("backend.actor")

TOKEN_VARIABLE = "HANDRAIL_ACTOR_TOKEN"
TOKEN_FILE = "actor.token"
# How long another thread may hold the interpreter while the loop's tick is due, seconds.
SWITCH_INTERVAL_S = 0.0005


@dataclass(frozen=True, kw_only=True)
class Options:
    """The command line."""

    # `ws://host:port`.
    server: str
    robot: str
    policy: str
    data_dir: Path
    # Shown in the log's lines, to tell several actors apart.
    name: str
    # As given with --token; empty to look for it elsewhere.
    token: str = field(default="", repr=False)
    # Robot configs besides those in `robots/` of the data directory.
    robots_dir: Path = ROBOTS_DIR
    # Where the server is on another computer: GB that episodes may take here once it has them,
    # and Mbit/s at which they leave, 0 for no limit.
    spool_gb: float = 20.0
    upload_mbit: float = 0.0
    # Seconds without a server after which it ends by itself; 0 for never.
    leave_after_s: float = 0.0


def parse(arguments: list[str]) -> Options:
    """Read the command line; exits with its own message when it is wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m backend.actor",
        description="Owns the robot and records.",
        allow_abbrev=False,
    )
    parser.add_argument("--server", default="ws://127.0.0.1:7860", help="ws://host:port")
    parser.add_argument("--robot", default="so101_sim_touch", help="name or path of its config")
    parser.add_argument(
        "--policy",
        default="hold",
        help="what drives when nobody says otherwise: hold, scripted, or a checkpoint `run/step`",
    )
    parser.add_argument("--data-dir", type=Path, default=Path("data"), help="where episodes go")
    parser.add_argument(
        "--robots-dir",
        type=Path,
        default=ROBOTS_DIR,
        help="folder of robot configs, besides `robots` of the data directory",
    )
    parser.add_argument("--name", default="actor", help="its name in the log")
    parser.add_argument(
        "--token",
        default="",
        help=f"what `{TOKEN_FILE}` in the server's data directory says; others on this computer "
        f"can read a command line, {TOKEN_VARIABLE} they cannot",
    )
    parser.add_argument(
        "--spool-gb",
        type=float,
        default=Options.spool_gb,
        help="with a server on another computer: how much disk episodes may take here once the "
        "server has them; those it has not are never removed",
    )
    parser.add_argument(
        "--upload-mbit",
        type=float,
        default=Options.upload_mbit,
        help="with a server on another computer: Mbit/s at which episodes leave, so that pictures "
        "and keys are not held up on a slow link; 0 for no limit",
    )
    parser.add_argument(
        "--leave-after-s",
        type=float,
        default=Options.leave_after_s,
        help="end when no server was there for so many seconds; 0 for never",
    )
    given = parser.parse_args(arguments)
    if not given.server.startswith(("ws://", "wss://")):
        parser.error(f"--server is an address like ws://127.0.0.1:7860, got {given.server!r}")
    return Options(
        server=given.server,
        robot=given.robot,
        policy=given.policy,
        data_dir=given.data_dir.resolve(),
        name=given.name,
        token=given.token.strip(),
        robots_dir=given.robots_dir,
        spool_gb=given.spool_gb,
        upload_mbit=given.upload_mbit,
        leave_after_s=given.leave_after_s,
    )


def read_token(options: Options) -> str:
    """The actor's token; empty when there is none."""
    given = options.token or os.environ.get(TOKEN_VARIABLE, "").strip()
    path = options.data_dir / TOKEN_FILE
    if not given and path.is_file():
        given = path.read_text(encoding="utf-8").strip()
    return given


def run(options: Options) -> bool:
    """Build everything, work until told to stop, take everything apart.

    Returns:
        False when the loop failed; the log says how.

    Raises:
        RigRefusedError: The robot config cannot be read.
    """
    clock = SystemClock()
    token = read_token(options)
    place = Place(options.data_dir)
    http = ServerHttp(url=options.server, token=token)
    rigs = LeRobotRigs(
        default_robot=options.robot,
        data_dir=options.data_dir,
        robots_dir=options.robots_dir,
        clock=clock,
        files=FetchedFiles(data_dir=options.data_dir, place=place, http=http),
    )
    rigs.facts(options.robot)
    times = SafetyTimes()
    episodes_dir = options.data_dir / "episodes"
    episodes_dir.mkdir(parents=True, exist_ok=True)

    link = Link(url=options.server, token=token, clock=clock, place=place)
    inbox = Inbox(send=link.send)
    deadman = Deadman(times=times, now_s=clock.now_s())
    news = News(outlet=link, clock=clock)
    spool = Spool(episodes_dir, keep_bytes=int(options.spool_gb * 1e9))
    uploads = Uploads(
        spool=spool,
        http=http,
        place=place,
        news=news,
        clock=clock,
        limit_mbit=options.upload_mbit,
    )
    place.on_connect(uploads.wake)
    recorder = Recorder(
        create=lambda header: (
            EpisodeWriter.create(episodes_dir, header)
            if place.disk is Disk.SHARED
            else spool.create(header)
        ),
        events=news,
        free_bytes=lambda: shutil.disk_usage(episodes_dir).free,
        limits=RecorderLimits(),
        released=uploads.wake,
    )
    promotions = Promotions(load=rigs.load_policy)
    session = LiveSession(
        maker=rigs,
        robot=options.robot,
        policy=options.policy,
        pid=os.getpid(),
        inbox=inbox,
        deadman=deadman,
        recorder=recorder,
        promotions=promotions,
        outlet=link,
        clock=clock,
    )
    loop = ControlLoop(
        session=session,
        inbox=inbox,
        deadman=deadman,
        outlet=link,
        clock=clock,
        times=times,
        abandoned_s=options.leave_after_s or math.inf,
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: loop.stop())
    failed = threading.Event()

    def work() -> None:
        if not run_on_time(LOOP_PRIORITY):
            log.info("no real-time schedule for the control loop: this user may not ask for one")
        try:
            loop.run()
        except Exception:
            # The thread's outermost frame: what gets here ends the process, with its exit status.
            log.exception("the control loop failed")
            failed.set()

    try:
        uploads.start()
        link.start(inbox=inbox, deadman=deadman, promotions=promotions, decided=uploads.obey)
        thread = threading.Thread(target=work, name="loop")
        thread.start()
        while thread.is_alive():
            # In slices, so that this thread, which alone may handle signals, gets to them.
            thread.join(0.2)
    finally:
        recorder.close()
        link.close()
        uploads.close()
        http.close()
    return not failed.is_set()


def main() -> int:
    """Return the exit code."""
    options = parse(sys.argv[1:])
    logging.basicConfig(
        level=logging.WARNING,
        stream=sys.stderr,
        format=f"%(asctime)s {options.name} %(levelname)s %(name)s: %(message)s",
    )
    logging.getLogger("backend").setLevel(logging.INFO)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    put_process_before_others()
    try:
        presence = Presence.claim(options.data_dir, robot=options.robot, server=options.server)
    except AnotherActorError as error:
        log.error("%s", error)
        return 1
    try:
        done = run(options)
    except RigRefusedError as error:
        log.error("%s", error)
        return 1
    finally:
        presence.close()
    log.info("the actor is done")
    return 0 if done else 1


if __name__ == "__main__":
    exit_code = main()
    logging.shutdown()
    # Everything is closed. A policy's native threads may be in the midst of a thought, and now and
    # then abort an interpreter that takes itself apart in order.
    os._exit(exit_code)
