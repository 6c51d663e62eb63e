"""A whole workplace in software: emulated arms, cameras, and Handrail's own processes around them.

The test's process owns the files that stand for cameras; each arm's servos, the server and the
actor are processes of their own, and the last two know of nothing but ports and files.
"""

import signal
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from tests.flows.operator_client import ScriptedOperator
from tests.flows.processes import HandrailProcess, is_running, wait_for
from tests.hardware.arms import JOINTS
from tests.hardware.cameras import write_video
from tests.hardware.distant_arm import DistantArm
from tests.hardware.rigs import so101_config

FPS = 10
REST = {
    "shoulder_pan": 5.0,
    "shoulder_lift": -30.0,
    "elbow_flex": 40.0,
    "wrist_flex": 20.0,
    "wrist_roll": -10.0,
    "gripper": 40.0,
}
# At ten steps a second: up to 120 degrees a second.
REACH = 12


class Workplace:
    """An SO-101 pair with two cameras, a server, an actor, and one operator at the page.

    Args:
        folder: Empty; ports, cameras, calibrations and the data directory come into it.
    """

    def __init__(self, folder: Path) -> None:
        self.follower = DistantArm(folder, name="follower", pose={"elbow_flex": 20.0})
        self.leader = DistantArm(folder, name="leader", pose={"shoulder_pan": -10.0})
        self.videos = {name: write_video(folder / f"{name}.mp4") for name in ("overhead", "wrist")}
        names = [f"{joint}.pos" for joint in JOINTS]
        self.config = so101_config(
            folder,
            follower=self.follower,
            leader=self.leader,
            cameras=self.videos,
            camera_type="video_file",
            fps=FPS,
            reset={"pose": dict(zip(names, REST.values(), strict=True)), "time_s": 1},
            limits={
                "joints": {n: [0, 100] if "gripper" in n else [-95, 95] for n in names},
                "max_relative_target": REACH,
            },
        )
        self.handrail = HandrailProcess(folder / "data", robot=str(self.config.source))
        self.operator: ScriptedOperator | None = None

    def start(self) -> "Workplace":
        """Start the processes, and sit down at the page."""
        self.handrail.start()
        self.handrail.wait_actor()
        self.operator = ScriptedOperator(self.handrail.port)
        self.operator.take()
        self.wait("the lease", lambda: self.page.mine)
        return self

    @property
    def page(self) -> ScriptedOperator:
        assert self.operator is not None, "nobody sits at the page yet"
        return self.operator

    def press(self, command: str, **params: Any) -> dict[str, Any]:
        """Send a command and return the answer that it was accepted with."""
        answer = self.page.command(command, timeout_s=120, **params)
        assert answer["accepted"], answer
        return answer

    def press_until(self, phase: str, command: str) -> None:
        """Press a key until the answer is that it led to `phase`.

        Whoever leads is held while his page is silent for a second, as it may be on a busy machine,
        and leads again when it is back; the key means something else in between.
        """
        self.wait(phase, lambda: self.press(command)["phase"] == phase)

    def be_there(self) -> None:
        """From now on the page says thirty times a second that somebody is at it.

        Who leads must; while the policy drives only somebody who has once begun to is missed.
        """
        self.page.keeping = True

    def take_over(self) -> None:
        """Press the key, and lead."""
        self.be_there()
        self.press_until("human", "intervene")

    def wait[T](self, what: str, check: Callable[[], T], *, timeout_s: float = 60.0) -> T:
        """Like `processes.wait_for`; what it says in vain has the page's and the logs' story."""
        return wait_for(what, check, timeout_s=timeout_s, tell=self.story)

    def story(self) -> str:
        """What the page shows, what it was told, and how the logs end."""
        tick = self.page.tick
        told = "\n".join(f"{event['code']}: {event['message']}" for event in self.page.events)
        shown = f"{tick.get('phase')}, {tick.get('reason')!r}, {tick.get('rates')}"
        return f"{shown}\n{told}\n{self.handrail.logs()}"

    def wait_phase(self, *phases: str) -> None:
        self.wait(f"phase {phases}", lambda: self.page.tick.get("phase") in phases)

    def wait_held(self, *reasons: str) -> None:
        """Wait until the attempt is held and the page says so in these words among others."""

        def is_held() -> bool:
            tick = self.page.tick
            said = tick.get("reason", "").lower()
            return tick.get("phase") == "held" and all(words.lower() in said for words in reasons)

        self.wait(f"held, {reasons}", is_held)

    def wait_steps(self, count: int) -> None:
        """Wait until the control loop has taken this many more steps."""
        begin = self.page.tick["step"]
        self.wait(f"{count} steps", lambda: self.page.tick["step"] >= begin + count)

    def begin_attempt(self) -> str:
        """Open the robot where it is closed, start an attempt; return the episode's id."""
        if self.handrail.session()["phase"] == "closed":
            self.press("open")
        self.wait_phase("idle")
        self.press("start")
        self.wait("five steps", lambda: (self.page.tick["episode"] or {}).get("steps", 0) >= 5)
        return str(self.page.tick["episode"]["id"])

    def notice(self, code: str) -> dict[str, Any]:
        """Wait for a notice of this kind since `tidy_up`; return the first."""

        def find() -> dict[str, Any] | None:
            return next((event for event in self.page.events if event["code"] == code), None)

        found = self.wait(f"notice {code}", find)
        assert found is not None
        return found

    def episode(self, episode_id: str) -> dict[str, Any]:
        """Wait until an episode is final; return it as the API has it."""

        def find() -> dict[str, Any] | None:
            response = self.handrail.api.get(f"/api/episodes/{episode_id}")
            found = response.json() if response.status_code == 200 else {}
            return found if found.get("state") == "finished" else None

        found = self.wait(f"episode {episode_id}", find)
        assert found is not None
        return found

    def unplug_camera(self, name: str) -> None:
        self.videos[name].rename(self.videos[name].with_suffix(".unplugged"))

    def end_actor(self, number: signal.Signals) -> int:
        """End the actor's process, wait until it is gone, return what its id was."""
        pid = self.handrail.actor_pid()
        assert pid is not None
        psutil.Process(pid).send_signal(number)
        self.wait("the actor's end", lambda: not is_running(pid))
        return pid

    def wait_for_actor_after(self, pid: int) -> None:
        """Wait until the server has started another one."""

        def find() -> bool:
            status = self.handrail.session()["actor"]
            return status["state"] == "connected" and status["pid"] != pid

        self.wait("the next actor", find, timeout_s=120)

    def tidy_up(self) -> None:
        """Close the session, mend everything, let no hand touch an arm, leave the page alone."""
        self.page.keeping = False
        for arm in (self.follower, self.leader):
            arm.let_go()
            arm.bus.faults.clear()
            arm.bus.plug_in()
        for path in self.videos.values():
            if not path.exists():
                path.with_suffix(".unplugged").rename(path)
        self.handrail.command("close", uuid.uuid4().hex)
        self.wait_phase("closed")
        self.page.events.clear()

    def close(self) -> None:
        if self.operator is not None:
            self.operator.close()
        self.handrail.close()
        self.follower.close()
        self.leader.close()
