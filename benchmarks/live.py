"""How live the live page is, on this machine, in one run. Prints JSON.

    python -m benchmarks.live [--rounds 5] [--seconds 10]

One server and one actor with the synthetic robot: 3 cameras of 640x480 at 30 Hz.

- lateness: of every control tick against its schedule, read from the recorded steps, with nobody
  watching and with four viewers of which one reads ten times too slowly. The two conditions take
  turns within one episode, so both see the same neighbours on the machine.
- glass_to_glass: the robot burns the capture time into the pixels; the page in Chromium reads it
  back from its canvases in requestAnimationFrame. Same clock, includes encoding, both sockets,
  decoding and up to one frame of the display.
- key_to_action: from the page's keydown to the first executed action that moved, read from the
  recorded steps; includes on average half a control period.
"""

import argparse
import asyncio
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import yaml
from playwright.sync_api import Page, sync_playwright
from websockets.asyncio.client import connect

from backend.robots.config import ROBOTS_DIR
from backend.robots.synthetic import STAMP_BITS, STAMP_BLOCK_PX
from tests.flows.processes import HandrailProcess, wait_for

NUM_VIEWERS = 4
# What a viewer ten times too slow can read, of 90 frames a second.
SLOW_READ_INTERVAL_S = 10 / 90
SETTLE_S = 1.0


async def watch(url: str, *, slow: bool) -> None:
    """One viewer that acknowledges what it reads, for ever."""
    async with connect(f"{url}/ws/live", compression=None) as socket:
        async for message in socket:
            if isinstance(message, bytes):
                if slow:
                    await asyncio.sleep(SLOW_READ_INTERVAL_S)
                await socket.send(message[1:2])


async def watch_all(url: str) -> None:
    await asyncio.gather(*(watch(url, slow=index == 0) for index in range(NUM_VIEWERS)))


def percentiles(values: np.ndarray) -> dict[str, float]:
    return {f"p{q}": round(float(np.percentile(values, q)), 2) for q in (50, 95, 99)}


def steps_of(data_dir: Path, episode_id: str) -> dict[str, Any]:
    with pa.OSFile(str(data_dir / "episodes" / episode_id / "steps.arrow")) as file:
        table = pa.ipc.open_stream(file).read_all()
    header = json.loads((data_dir / "episodes" / episode_id / "header.json").read_text())
    return {
        "fps": header["fps"],
        "wall_s": table["wall_s"].to_numpy(),
        "action": np.array(table["action"].to_pylist()),
    }


def robot_without_timeout(folder: Path) -> Path:
    """A copy of synthetic_3cam whose attempts may last as long as the benchmark."""
    config = yaml.safe_load((ROBOTS_DIR / "synthetic_3cam.yaml").read_text())
    path = folder / "synthetic_3cam.yaml"
    path.write_text(yaml.safe_dump(config | {"episode_time_s": 3600}))
    return path


def run_episode(handrail: HandrailProcess, work: Any) -> tuple[Any, dict[str, Any]]:
    """Record an attempt around `work()`; return its result and the steps."""
    assert handrail.command("start", uuid.uuid4().hex).json()["accepted"]
    episode_id = wait_for("an episode", lambda: (handrail.session()["episode"] or {}).get("id"))
    result = work()
    assert handrail.command("success", uuid.uuid4().hex).json()["accepted"]
    handrail.wait_phase("idle")
    return result, steps_of(handrail.data_dir, episode_id)


def measure_lateness(handrail: HandrailProcess, *, rounds: int, seconds: float) -> dict[str, Any]:
    def work() -> dict[str, list[tuple[float, float]]]:
        windows: dict[str, list[tuple[float, float]]] = {"alone": [], "watched": []}
        for _ in range(rounds):
            time.sleep(SETTLE_S)
            began_s = time.time()
            time.sleep(seconds)
            windows["alone"].append((began_s, time.time()))
            viewers = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "benchmarks.live",
                    "--watch",
                    f"ws://127.0.0.1:{handrail.port}",
                ]
            )
            time.sleep(SETTLE_S * 2)
            began_s = time.time()
            time.sleep(seconds)
            windows["watched"].append((began_s, time.time()))
            viewers.terminate()
            viewers.wait()
        return windows

    windows, steps = run_episode(handrail, work)
    period_s = 1 / steps["fps"]
    result: dict[str, Any] = {"unit": "ms"}
    late: dict[str, np.ndarray] = {}
    for name, spans in windows.items():
        parts, skipped = [], 0
        for began_s, ended_s in spans:
            inside = (steps["wall_s"] >= began_s) & (steps["wall_s"] < ended_s)
            parts.append(lateness_ms(steps["wall_s"][inside], period_s=period_s))
            skipped += round((ended_s - began_s) / period_s) - int(inside.sum())
        late[name] = np.concatenate(parts)
        result[name] = {"ticks": len(late[name]), "skipped": skipped, **percentiles(late[name])}
    alone, watched = (float(np.percentile(late[name], 99)) for name in ("alone", "watched"))
    result["p99_ratio"] = round(watched / alone, 3)
    result["p99_increase_ms"] = round(watched - alone, 3)
    return result


def lateness_ms(wall_s: np.ndarray, *, period_s: float) -> np.ndarray:
    """How late each tick began against the grid of the schedule.

    The loop skips whole periods when it overruns, so every tick belongs to the same grid; the grid
    begins behind the widest stretch of the period in which no tick ever began.
    """
    phase_s = np.sort(wall_s % period_s)
    gaps = np.diff(phase_s, append=phase_s[0] + period_s)
    grid_s = phase_s[(np.argmax(gaps) + 1) % len(phase_s)]
    return (wall_s - grid_s) % period_s * 1000


READ_STAMPS = """
([bits, block, forMs]) => new Promise(resolve => {
  const canvases = [...document.querySelectorAll('canvas[data-camera]')];
  const seen = canvases.map(() => null), ages = [], started = performance.now();
  let frames = 0;
  const read = canvas => {
    const row = canvas.getContext('2d').getImageData(0, block / 2, bits * block, 1).data;
    let value = 0;
    for (let i = 0; i < bits; i++)
      value = value * 2 + (row[(i * block + block / 2) * 4] > 127 ? 1 : 0);
    return value;
  };
  const step = () => {
    canvases.forEach((canvas, i) => {
      const stamp = read(canvas);
      if (stamp !== seen[i]) {
        if (seen[i] !== null) { ages.push(Date.now() - stamp); frames++; }
        seen[i] = stamp;
      }
    });
    if (performance.now() - started < forMs) requestAnimationFrame(step);
    else resolve({ages, frames, cameras: canvases.length,
                  seconds: (performance.now() - started) / 1000});
  };
  requestAnimationFrame(step);
})
"""


def open_page(handrail: HandrailProcess, browser: Any) -> Page:
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.goto(handrail.url)
    page.wait_for_selector("canvas[data-camera]")
    return page


def measure_glass(page: Page, *, seconds: float) -> dict[str, Any]:
    page.wait_for_timeout(2000)
    seen = page.evaluate(READ_STAMPS, [STAMP_BITS, STAMP_BLOCK_PX, seconds * 1000])
    ages = np.array(seen["ages"])
    return {
        "unit": "ms",
        "cameras": seen["cameras"],
        "fps_per_camera": round(seen["frames"] / seen["seconds"] / seen["cameras"], 1),
        **percentiles(ages),
    }


def measure_keys(handrail: HandrailProcess, page: Page, *, presses: int) -> dict[str, Any]:
    page.evaluate(
        "() => { window.pressedAt = []; addEventListener('keydown', e => "
        "{ if (!e.repeat && e.code === 'ArrowLeft') pressedAt.push(Date.now()); }, true); }"
    )

    def work() -> list[float]:
        page.keyboard.press("5")
        handrail.wait_phase("human")
        for _ in range(presses):
            page.keyboard.down("ArrowLeft")
            page.wait_for_timeout(300)
            page.keyboard.up("ArrowLeft")
            page.keyboard.down("ArrowRight")
            page.wait_for_timeout(300)
            page.keyboard.up("ArrowRight")
            page.wait_for_timeout(400)
        return page.evaluate("() => pressedAt")

    pressed_ms, steps = run_episode(handrail, work)
    moved = np.abs(np.diff(steps["action"], axis=0)).max(axis=1) > 1e-3
    latencies = []
    for at_ms in pressed_ms:
        after = np.flatnonzero(moved & (steps["wall_s"][1:] * 1000 > at_ms))
        if len(after):
            latencies.append(steps["wall_s"][1:][after[0]] * 1000 - at_ms)
    return {"unit": "ms", "presses": len(latencies), **percentiles(np.array(latencies))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--watch", metavar="URL", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.watch:
        asyncio.run(watch_all(args.watch))
        return

    with tempfile.TemporaryDirectory() as folder:
        robot = robot_without_timeout(Path(folder))
        handrail = HandrailProcess(Path(folder) / "data", robot=str(robot)).start()
        try:
            handrail.wait_actor()
            assert handrail.command("open", uuid.uuid4().hex, policy="hold").json()["accepted"]
            lateness = measure_lateness(handrail, rounds=args.rounds, seconds=args.seconds)
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(
                    executable_path=os.environ.get("HANDRAIL_CHROMIUM", "/usr/bin/chromium"),
                    args=["--no-sandbox", "--disable-background-networking", "--disable-sync"],
                )
                page = open_page(handrail, browser)
                glass = measure_glass(page, seconds=args.seconds * 2)
                page.get_by_text("take the lease", exact=False).first.click()
                keys = measure_keys(handrail, page, presses=20)
                browser.close()
        finally:
            handrail.close()
    report = {
        "machine": {"cores": os.cpu_count(), "processor": platform.machine()},
        "cameras": "3 x 640x480 at 30 Hz",
        "viewers": NUM_VIEWERS,
        "lateness": lateness,
        "glass_to_glass": glass,
        "key_to_action": keys,
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
