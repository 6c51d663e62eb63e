"""Makes the example data that an empty data directory is offered: see `backend.sandbox.bundle`.

    python -m scripts.make_sandbox        about fifteen minutes of one core, no GPU

A clumsy scripted expert shows how to touch the cube, a policy imitates it and tries, the preset
`recap_tiny` learns from all of that, and the checkpoint that comes out makes the attempts of the
bundle, graded by the simulator's verdict and sometimes rescued. It is meant to fail sometimes: a
newcomer should have a reason to take over. What is done is kept under --work: a killed run goes on
where it was.
"""

import argparse
import json
import os
import shutil
from pathlib import Path
from typing import Any

from backend.sandbox.bundle import BUNDLE_DIR

RUN = "sandbox"
DEMONSTRATIONS, ATTEMPTS = 120, 30
# Of the last attempts, so many go into the bundle: what is committed has to stay small.
BUNDLED = 27


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m scripts.make_sandbox",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--work", type=Path, default=Path("artifacts"))
    parser.add_argument("--out", type=Path, default=BUNDLE_DIR)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--critic-steps", type=int, default=800)
    parser.add_argument("--actor-steps", type=int, default=800)
    args = parser.parse_args()
    # MuJoCo chooses its way to draw when it is imported.
    os.environ.setdefault("MUJOCO_GL", "egl")
    data_dir = _work(args)
    result = _result(data_dir, RUN)
    print(f"on starts it never saw: {result['num_successes']} of {result['num_attempts']} touched")
    _assemble(data_dir, result["checkpoint"], args.out)
    size = sum(file.stat().st_size for file in args.out.rglob("*") if file.is_file())
    print(f"{args.out}: {size / 1e6:.1f} MB")


def _work(args: argparse.Namespace) -> Path:
    """Record, train, record; return the data directory that holds it all."""
    import torch  # noqa: PLC0415

    from backend.robots.experts import Slips  # noqa: PLC0415
    from benchmarks.improvement.bench import Bench  # noqa: PLC0415
    from benchmarks.improvement.cells import Cell  # noqa: PLC0415
    from benchmarks.improvement.setting import Setting  # noqa: PLC0415

    torch.set_num_threads(1)
    setting = Setting(
        name="sandbox",
        robot="so101_sim_touch",
        # What a newcomer's robot has, so that the checkpoint can drive it.
        cameras=None,
        demonstrations=DEMONSTRATIONS,
        slips=Slips(share=0.4),
        attempts=ATTEMPTS,
        evaluations=20,
        limit_s=8.0,
        critic_steps=args.critic_steps,
        actor_steps=args.actor_steps,
    )
    first = ("demonstrations", "round1")
    cells = (
        Cell(name="demonstrations", kind="record"),
        # The critic reads the actor's features: it learns little from those of random weights.
        Cell(name="demos", kind="train", method="demos", recordings=first[:1]),
        Cell(name="round1", kind="record", driver="demos"),
        Cell(name=RUN, kind="train", method="recap", recordings=first, start="demos"),
        Cell(name="attempts", kind="record", driver=RUN),
    )
    bench = Bench(setting, cells, seed=args.seed, out=args.work.absolute(), told=print)
    bench.run()
    return bench.data_dir


def _assemble(data_dir: Path, checkpoint_id: str, out: Path) -> None:
    """Put the bundle together beside the old one, then take its place."""
    aside = out.with_name(f".{out.name}.new")
    shutil.rmtree(aside, ignore_errors=True)
    attempts = _result(data_dir, "attempts")["attempts"][:BUNDLED]
    ids = [attempt["episode_id"] for attempt in attempts]
    for id in ids:
        shutil.copytree(data_dir / "episodes" / id, aside / "episodes" / id)
    _score(data_dir, checkpoint_id, ids)
    for part in (f"checkpoints/{checkpoint_id}/pretrained_model", f"scores/{checkpoint_id}"):
        shutil.copytree(data_dir / part, aside / part)
    shutil.rmtree(out, ignore_errors=True)
    aside.replace(out)


def _score(data_dir: Path, checkpoint_id: str, ids: list[str]) -> None:
    """What the checkpoint's critic says of the attempts, as a score job would write it."""
    import numpy as np  # noqa: PLC0415

    from backend.episodes.scores import EpisodeScores, write_scores  # noqa: PLC0415
    from backend.episodes.store import read_end  # noqa: PLC0415
    from backend.learning.labels import make_labels  # noqa: PLC0415
    from backend.learning.models import load_models  # noqa: PLC0415
    from backend.learning.scoring import score_episodes  # noqa: PLC0415
    from benchmarks.improvement.learning import load_episodes  # noqa: PLC0415

    shutil.rmtree(data_dir / "scores" / checkpoint_id, ignore_errors=True)
    models = load_models(data_dir / "checkpoints" / checkpoint_id, device="cpu")
    episodes = load_episodes(data_dir, ids)
    scores = dict(score_episodes(models, episodes))
    labels = make_labels(
        episodes,
        {id: score.values for id, score in scores.items()},
        config=models.config,
        longest=models.longest,
        thresholds=models.thresholds,
    )
    for episode in episodes:
        id, score = episode.episode_id, scores[episode.episode_id]
        end = read_end(data_dir / "episodes" / id)
        assert end is not None, "what was recorded is final"
        assert score.spreads is not None, "recap's critic has a distribution"
        write_scores(
            data_dir,
            EpisodeScores(
                checkpoint_id=checkpoint_id,
                episode_id=id,
                value=score.values,
                spread=score.spreads,
                advantage=labels.advantages[id],
                word=np.array([word or "" for word in labels.words[id]]),
                # The data directory it goes to has label revisions of its own.
                label_revision=0,
                outcome=episode.outcome,
                value_range=models.config.reward.value_range,
                thresholds=dict(labels.thresholds),
                has_own_thresholds=True,
                created_s=end.ended_s,
            ),
        )


def _result(data_dir: Path, cell: str) -> dict[str, Any]:
    path = data_dir / "results" / f"{cell}.json"
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


if __name__ == "__main__":
    main()
