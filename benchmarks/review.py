"""How quick the Review page is with 10,000 episodes, on this machine, in one run. Prints JSON.

    python -m benchmarks.review [--episodes 10000] [--rounds 30] [--data-dir DIR]

One server without a robot, Chromium, episodes of 300 steps and two cameras of 640x480 at 30 Hz that
share their files as hard links, all scored by a critic. Times are taken in the page, in ms, from
the event that a key or the mouse causes; `target` is what a median should stay under.

- list: another order is chosen, until its first row is in the page. Baseline: all rows fetched and
  sorted in the page, as without orders and cursors.
- open: an episode is opened, until its first frame is painted in all cameras. The median is
  of episodes far away in the list, `next_median_ms` of the one that Enter goes to. Baseline: the
  same files streamed by plain video elements, without curves, labels or history.
- scrub: the cursor jumps to any frame, until all cameras have painted it. Baseline: plain video
  elements that stream from the server and jump to the same frames.
- relabel: an outcome is sent, until the server has answered that it is on the disk. Baseline:
  4 KiB written to the same disk and synced.
"""

import argparse
import contextlib
import json
import os
import platform
import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Page, sync_playwright

from backend.db.engine import migrate, open_database, sqlite_url
from backend.domain import Outcome
from backend.intake import reconcile
from benchmarks.recorded_data import record_episodes
from tests.browser.review_data import copies, make_checkpoint_row, score
from tests.flows.processes import HandrailProcess

CRITIC = "touch/000500"
STEPS, FPS = 300, 30.0
CAMERAS = 2
TARGETS_MS = {"list": 200, "open": 300, "scrub": 80, "relabel": 20}
# Waits for what is painted, frame by frame, and tells how long it took since `began`.
UNTIL = """
const until = async (holds) => {
  while (!holds()) await new Promise(requestAnimationFrame);
};
const cameras = document.querySelector('[data-part=cameras]');
const painted = (id, frame) => cameras.dataset.painted === `${id} ${frame}`;
"""


def make_data(data_dir: Path, num_episodes: int) -> None:
    """Fill an empty data directory."""
    record_episodes(
        data_dir, episodes=1, steps=STEPS, cameras=CAMERAS, width=640, height=480, fps=FPS
    )
    rng = random.Random(3)
    outcomes = rng.choices(list(Outcome), weights=[4, 3, 3], k=num_episodes - 1)
    ids = copies(data_dir / "episodes" / "episode000", outcomes)
    migrate(sqlite_url(data_dir))
    with contextlib.closing(open_database(sqlite_url(data_dir))) as database:
        reconcile(database, data_dir)
        make_checkpoint_row(database, CRITIC)
        score(database, data_dir, CRITIC, {id: rng.random() for id in ids})


def measure_list(page: Page, rounds: int) -> list[float]:
    taken_ms: list[float] = page.evaluate(
        f"""async (rounds) => {{ {UNTIL}
          const taken = [];
          for (let round = 0; round < rounds; round += 1) {{
            const select = document.querySelector('select[aria-label=order]');
            const first = () => document.querySelector('.rv-row[data-index="0"]')?.dataset.id;
            const before = first();
            const began = performance.now();
            select.value = select.value === 'newest' ? 'oldest' : 'newest';
            select.dispatchEvent(new Event('change'));
            await until(() => first() && first() !== before);
            taken.push(performance.now() - began);
            await new Promise((resolve) => setTimeout(resolve, 400));
          }}
          return taken;
        }}""",
        rounds,
    )
    return taken_ms


def measure_whole_list(page: Page, rounds: int) -> list[float]:
    taken_ms: list[float] = page.evaluate(
        """async (rounds) => {
          const taken = [];
          for (let round = 0; round < rounds; round += 1) {
            const began = performance.now();
            const rows = [];
            let cursor = '';
            do {
              const reply = await fetch(`/api/episodes?limit=1000${cursor}`);
              const body = await reply.json();
              rows.push(...body.items);
              cursor = body.next_cursor && `&cursor=${body.next_cursor}`;
            } while (cursor);
            rows.sort((a, b) => a.started_s - b.started_s);
            taken.push(performance.now() - began);
          }
          return taken;
        }""",
        rounds,
    )
    return taken_ms


def measure_open(page: Page, rounds: int, *, is_next: bool) -> list[float]:
    taken_ms: list[float] = page.evaluate(
        f"""async ([rounds, isNext]) => {{ {UNTIL}
          const list = document.querySelector('.rv-list');
          const taken = [];
          for (let round = 0; round < rounds; round += 1) {{
            let row;
            if (!isNext) {{
              list.scrollTop = (17 + round * 13) * 96;
              const index = String(20 + round * 13);
              const there = () => document.querySelector(`.rv-row[data-index="${{index}}"]`);
              await until(there);
              row = there();
            }}
            // Film strips, and the episodes fetched ahead.
            await new Promise((resolve) => setTimeout(resolve, 1500));
            const before = cameras.dataset.painted;
            const began = performance.now();
            if (row) row.click();
            else dispatchEvent(new KeyboardEvent('keydown', {{ code: 'ArrowDown', key: '' }}));
            await until(() => cameras.dataset.painted !== before);
            taken.push(performance.now() - began);
          }}
          return taken;
        }}""",
        [rounds, is_next],
    )
    return taken_ms


def measure_plain_open(page: Page, ids: list[str]) -> list[float]:
    taken_ms: list[float] = page.evaluate(
        """async ([ids, names]) => {
          const taken = [];
          for (const id of ids) {
            const began = performance.now();
            const videos = names.map((name) => {
              const video = document.createElement('video');
              Object.assign(video, { muted: true, preload: 'auto' });
              video.src = `/api/episodes/${id}/video/${name}.mp4`;
              document.body.append(video);
              return video;
            });
            await Promise.all(videos.map((video) =>
              new Promise((resolve) => video.requestVideoFrameCallback(resolve))));
            taken.push(performance.now() - began);
            for (const video of videos) { video.src = ''; video.load(); video.remove(); }
          }
          return taken;
        }""",
        [ids, [f"camera{number}" for number in range(CAMERAS)]],
    )
    return taken_ms


def measure_scrub(page: Page, frames: list[int]) -> list[float]:
    taken_ms: list[float] = page.evaluate(
        f"""async (frames) => {{ {UNTIL}
          const scrub = document.querySelector('input[aria-label=scrub]');
          const taken = [];
          for (const frame of frames) {{
            const began = performance.now();
            scrub.value = String(frame);
            scrub.dispatchEvent(new Event('input'));
            await until(() => painted(cameras.dataset.episode, frame));
            taken.push(performance.now() - began);
          }}
          return taken;
        }}""",
        frames,
    )
    return taken_ms


def measure_plain_scrub(page: Page, id: str, frames: list[int]) -> list[float]:
    taken_ms: list[float] = page.evaluate(
        """async ([id, names, frames, fps]) => {
          const videos = names.map((name) => {
            const video = document.createElement('video');
            Object.assign(video, { muted: true, preload: 'metadata' });
            video.src = `/api/episodes/${id}/video/${name}.mp4`;
            document.body.append(video);
            return video;
          });
          await Promise.all(videos.map((video) =>
            new Promise((resolve) => video.addEventListener('loadeddata', resolve))));
          const taken = [];
          for (const frame of frames) {
            const began = performance.now();
            await Promise.all(videos.map((video) => new Promise((resolve) => {
              video.requestVideoFrameCallback(resolve);
              video.currentTime = (frame + 0.5) / fps;
            })));
            taken.push(performance.now() - began);
          }
          for (const video of videos) { video.src = ''; video.load(); video.remove(); }
          return taken;
        }""",
        [id, [f"camera{number}" for number in range(CAMERAS)], frames, FPS],
    )
    return taken_ms


def measure_relabel(page: Page, ids: list[str]) -> list[float]:
    taken_ms: list[float] = page.evaluate(
        """async (ids) => {
          const taken = [];
          for (const [round, id] of ids.entries()) {
            const outcome = round % 2 ? 'success' : 'failure';
            const body = JSON.stringify({ kind: 'outcome', new: { outcome } });
            const headers = { 'content-type': 'application/json' };
            const began = performance.now();
            const path = `/api/episodes/${id}/labels`;
            await (await fetch(path, { method: 'POST', headers, body })).json();
            taken.push(performance.now() - began);
          }
          return taken;
        }""",
        ids,
    )
    return taken_ms


def measure_disk(folder: Path, rounds: int) -> list[float]:
    taken = []
    with (folder / "synced").open("wb", buffering=0) as file:
        for _ in range(rounds):
            began_s = time.perf_counter()
            file.write(bytes(4096))
            os.fsync(file.fileno())
            taken.append((time.perf_counter() - began_s) * 1000)
    return taken


def told(name: str, taken_ms: list[float], baseline_ms: list[float]) -> dict[str, Any]:
    return {
        "target_ms": TARGETS_MS[name],
        "median_ms": round(float(np.median(taken_ms)), 1),
        "p95_ms": round(float(np.percentile(taken_ms, 95)), 1),
        "baseline_median_ms": round(float(np.median(baseline_ms)), 1),
    }


@contextlib.contextmanager
def served_page(data_dir: Path) -> Iterator[Page]:
    """The Review page in Chromium, with its first episode open."""
    handrail = HandrailProcess(data_dir, "--no-actor").start()
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=os.environ.get("HANDRAIL_CHROMIUM", "/usr/bin/chromium"),
                args=["--no-sandbox", "--disable-background-networking", "--disable-sync"],
            )
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            page.goto(f"{handrail.url}/review?order=newest")
            page.locator(".rv-history").wait_for(timeout=120_000)
            yield page
            browser.close()
    finally:
        handrail.close()


def measure(page: Page, data_dir: Path, rounds: int) -> dict[str, Any]:
    rng = random.Random(5)
    frames = [rng.randrange(STEPS) for _ in range(rounds * 2)]
    some = page.evaluate(
        "async (limit) => (await fetch(`/api/episodes?limit=${limit}`)).json()", rounds * 2
    )
    ids = [item["id"] for item in some["items"]]
    listed = measure_list(page, rounds)
    cold = measure_open(page, rounds, is_next=False)
    following = measure_open(page, rounds, is_next=True)
    scrubbed = measure_scrub(page, frames)
    opened = told("open", cold, measure_plain_open(page, ids[:rounds]))
    return {
        "list": told("list", listed, measure_whole_list(page, 3)),
        "open": {**opened, "next_median_ms": round(float(np.median(following)), 1)},
        "scrub": told("scrub", scrubbed, measure_plain_scrub(page, ids[-1], frames)),
        "relabel": told("relabel", measure_relabel(page, ids), measure_disk(data_dir, rounds * 2)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--episodes", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument(
        "--data-dir", type=Path, help="make the episodes there if there are none, and keep them"
    )
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data_dir = args.data_dir or Path(folder) / "data"
        if not data_dir.exists():
            make_data(data_dir, args.episodes)
        with served_page(data_dir) as page:
            measured = measure(page, data_dir, args.rounds)
    report = {
        "machine": {
            "cores": os.cpu_count(),
            "processor": platform.machine(),
            "load": [round(load, 1) for load in os.getloadavg()],
        },
        "episodes": args.episodes,
        **measured,
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
