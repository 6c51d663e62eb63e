"""Time and memory of our training steps beside LeRobot's plain π0.5 step, on the same batch.

Every variant is built anew with random weights, warmed up, timed and thrown away; the variants take
turns for some rounds, so that a slow minute of the machine hits all of them. A step is everything
from recorded arrays to new weights: prompt, tokens, normalisation, forward, backward, clip, update.
LeRobot's step is its own preprocessor, `PI05Policy.forward` and AdamW, as `lerobot-train` makes it.
On a CPU, which others use too, time is the process's CPU time. Needs no download: the prompt is
tokenised by the tiny tokenizer in both sizes. Prints JSON.

    python -m benchmarks.train_step --size tiny --device cpu
    python -m benchmarks.train_step --size base --device cuda --batch 8 --steps 10

Ratios wanted: actor at most 1.1 of LeRobot's step; the critic on shared features adds at most 35 %.
"""

import argparse
import gc
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from lerobot.policies.pi05.configuration_pi05 import PI05Config
from lerobot.policies.pi05.modeling_pi05 import PI05Policy
from lerobot.policies.pi05.processor_pi05 import Pi05PrepareStateTokenizerProcessorStep
from lerobot.processor import PolicyProcessorPipeline, TokenizerProcessorStep
from lerobot.utils.constants import ACTION, OBS_STATE
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

from backend.domain import Outcome
from backend.learning.config_files import load_config
from backend.learning.embodiment import embodiment_of
from backend.learning.inputs import dataset_stats, pixels
from backend.learning.labels import make_labels
from backend.learning.learner import Learner
from backend.learning.models import start_models
from backend.learning.pi05_rl.modeling_pi05_rl import PI05RLPolicy
from backend.learning.pi05_rl.processor_pi05_rl import AdvantagePromptStep, PromptTokenizerStep
from backend.learning.pi05_rl.sizes import SIZES
from backend.learning.pi05_rl.tiny_tokenizer import PAD, tiny_tokenizer_json
from backend.learning.replay import ChunkBatch, EpisodeArrays

Step = Callable[[], None]


def make_episodes(size: str, *, cameras: int, dims: int) -> list[EpisodeArrays]:
    """Return one success and one failure of random pictures and motion."""
    rng = np.random.default_rng(0)
    edge = SIZES[size].image_size
    return [
        EpisodeArrays(
            episode_id=str(outcome),
            task="pick up the yellow car and put it in the bowl",
            fps=30.0,
            states=rng.uniform(-90, 90, (80, dims)).astype(np.float32),
            actions=rng.uniform(-90, 90, (80, dims)).astype(np.float32),
            images={
                f"camera{n}": rng.integers(0, 256, (80, edge, edge, 3), dtype=np.uint8)
                for n in range(cameras)
            },
            is_human=np.zeros(80, dtype=bool),
            outcome=outcome,
        )
        for outcome in (Outcome.SUCCESS, Outcome.FAILURE)
    ]


def make_learner(args: argparse.Namespace, episodes: list[EpisodeArrays]) -> Learner:
    """Return a learner whose three updates can all be called: scalar TD critic, five words."""
    config = load_config(
        "seed",
        {
            "model": {
                "size": args.size,
                "start_from": None,
                "tokenizer": "tiny",
                "dtype": args.dtype,
                "chunk_size": args.chunk,
                "gradient_checkpointing": args.gradient_checkpointing,
                "normalization": "quantiles",
            },
            "critic": {"depth": None, "kind": args.critic, "value_min": -4.2},
            "optimizer": {"batch_size": args.batch, "accumulation": 1, "grad_clip": 1.0},
            "trainable": ["actor", "critic"],
        },
    )
    with torch.device(args.device):
        models = start_models(
            config,
            embodiment_of(episodes),
            data_stats=dataset_stats(episodes),
            device=args.device,
        )
    learner = Learner(models, config)
    learner.set_episodes(episodes)
    return learner


def our_step(kind: str, args: argparse.Namespace, episodes: list[EpisodeArrays]) -> Step:
    """Return the update `kind` on a fixed batch."""
    learner = make_learner(args, episodes)
    if kind == "both_monte_carlo":
        learner.target = None
    batch = draw(args, learner)
    if kind == "actor":
        # What a critic says costs the actor's step nothing; labels of zero do.
        learner.models.critic.cpu()
        zeros = {e.episode_id: np.zeros(len(e)) for e in episodes}
        longest = learner.sampler.longest
        learner.take_labels(make_labels(episodes, zeros, config=learner.config, longest=longest))
        return lambda: void(learner.update_actor(batch))
    if kind == "critic":
        learner.target = None
        return lambda: void(learner.update_critic(batch))
    return lambda: void(learner.update_both(batch))


def draw(args: argparse.Namespace, learner: Learner) -> ChunkBatch:
    """Return the batch that all variants share."""
    learner.sampler.rng = np.random.default_rng(1)
    return learner.sampler.draw(args.batch, with_successors=True)


def lerobot_step(args: argparse.Namespace, episodes: list[EpisodeArrays]) -> Step:
    """Return LeRobot's plain training step on the same batch."""
    learner = make_learner(args, episodes)
    batch = draw(args, learner)
    ours = learner.models.policy.config
    steps = list(learner.models.preprocessor.steps)
    del learner
    clean(args.device)
    if args.size == "base":
        names = PI05Config.__dataclass_fields__
        config = PI05Config(**{n: getattr(ours, n) for n in names})
        with torch.device(args.device):
            policy = PI05Policy(config)
    else:
        # LeRobot's classes have no tiny size: its forward pass and loss on our sized weights.
        policy = PI05RLPolicy(ours)
    policy.train()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(tiny_tokenizer_json()), pad_token=PAD
    )
    stock = {
        AdvantagePromptStep: Pi05PrepareStateTokenizerProcessorStep(),
        PromptTokenizerStep: TokenizerProcessorStep(
            tokenizer=fast, max_length=ours.tokenizer_max_length
        ),
    }
    preprocessor = PolicyProcessorPipeline(steps=[stock.get(type(s), s) for s in steps])
    optimizer = ours.get_optimizer_preset().build(policy.parameters())

    def step() -> None:
        seen = batch.observations
        raw = {f"observation.images.{n}": pixels(f) for n, f in seen.images.items()}
        raw |= {
            OBS_STATE: torch.from_numpy(seen.states),
            ACTION: torch.from_numpy(batch.actions),
            "task": seen.tasks,
        }
        loss, _ = PI05Policy.forward(policy, preprocessor(raw))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(policy.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        loss.item()

    return step


def void(_: object) -> None:
    """Drop a step's metrics."""


def clean(device: str) -> None:
    """Free what a variant has left behind and start its memory count anew."""
    gc.collect()
    if device == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    else:
        # Linux: 5 resets the peak of this process's resident memory.
        Path("/proc/self/clear_refs").write_text("5")


def peak_mib(device: str) -> float:
    """Return the peak memory since `clean`: the GPU's, or this process's resident memory."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated() / 2**20
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def synchronize(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def clock(device: str) -> float:
    """Return seconds: the wall's beside a GPU; this process's own on a CPU that others use too."""
    return time.process_time() if device == "cpu" else time.perf_counter()


def measure(make: Callable[[], Step], args: argparse.Namespace) -> tuple[list[float], float]:
    """Build a variant, warm it up, and return the seconds of each step and the peak memory."""
    clean(args.device)
    step = make()
    for _ in range(args.warmup):
        step()
    synchronize(args.device)
    seconds = []
    for _ in range(args.steps):
        started = clock(args.device)
        step()
        synchronize(args.device)
        seconds.append(clock(args.device) - started)
    return seconds, peak_mib(args.device)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", choices=sorted(SIZES), default="tiny")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default=None, help="bfloat16 for base, float32 for tiny")
    parser.add_argument("--critic", choices=["scalar", "distributional"], default="distributional")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--chunk", type=int, default=50)
    parser.add_argument("--cameras", type=int, default=2)
    parser.add_argument("--dims", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=5, help="timed steps of a variant and round")
    parser.add_argument("--warmup", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1, help="of the CPU")
    parser.add_argument("--gradient-checkpointing", action="store_true")
    args = parser.parse_args()
    args.dtype = args.dtype or ("bfloat16" if args.size == "base" else "float32")
    if args.device == "cpu":
        torch.set_num_threads(args.threads)
    # As lerobot-train sets it: the vision tower is float32 in both.
    torch.backends.cuda.matmul.allow_tf32 = True
    episodes = make_episodes(args.size, cameras=args.cameras, dims=args.dims)
    variants: dict[str, Callable[[], Step]] = {"lerobot": lambda: lerobot_step(args, episodes)}
    for kind in ("actor", "critic", "both_monte_carlo", "both_td"):
        variants[kind] = lambda kind=kind: our_step(kind, args, episodes)
    rounds: dict[str, list[list[float]]] = {name: [] for name in variants}
    peaks: dict[str, float] = {}
    for _ in range(args.rounds):
        for name, make in variants.items():
            times, peak = measure(make, args)
            rounds[name].append(times)
            peaks[name] = max(peak, peaks.get(name, 0.0))
    seconds = {
        name: [second for times in each for second in times] for name, each in rounds.items()
    }

    def ratio(name: str, beside: str) -> float:
        """Median over rounds: both sides of a round met the same minute of the machine."""
        pairs = zip(rounds[name], rounds[beside], strict=True)
        return statistics.median(statistics.median(a) / statistics.median(b) for a, b in pairs)

    print(
        json.dumps(
            {
                **vars(args),
                "torch": torch.__version__,
                "machine": torch.cuda.get_device_name() if args.device == "cuda" else "cpu",
                "median_ms": {n: round(1000 * statistics.median(t), 1) for n, t in seconds.items()},
                "fastest_ms": {n: round(1000 * min(t), 1) for n, t in seconds.items()},
                "peak_mib": {name: round(value) for name, value in peaks.items()},
                "actor_over_lerobot": round(ratio("actor", "lerobot"), 3),
                "critic_adds_on_shared_features": round(ratio("both_monte_carlo", "actor") - 1, 3),
                "td_critic_adds": round(ratio("both_td", "actor") - 1, 3),
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
