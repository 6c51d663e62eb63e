"""What a training run may be asked for. Needs no database, no torch and no LeRobot.

    {"preset": "recap" | "config": {…}, "overrides": {"optimizer.batch_size": 8, …},
     "start": "run/000500" | "tiny" | folder | Hub id, "run": name, "steps": n,
     "sources": [{"kind": "store", "episodes": "all" | [ids] | {filter}, "share": 0.5},
                 {"kind": "dataset", "repo_id": "local/demos" | "path": folder, "share": 0.5}],
     "additional_dataset_paths": [folders], "device": "auto", "keep": 3, "processes": 1,
     "wandb": "off" | "offline" | "online", "wandb_project": name}

Everything may be left out: then all recorded episodes are learned from by preset `recap`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from backend.checkpoints import CHECKPOINTS_DIR, RUN_NAME
from backend.db.queries import EpisodeFilter
from backend.jobs.export_params import DATASETS_DIR, ExportParamsError, read_episodes
from backend.jobs.train_config import (
    DEFAULT_PRESET,
    TrainParamsError,
    learner_config,
    read_count,
)
from backend.learning.config import LearnerConfig

WANDB_MODES = ("off", "offline", "online")
WORDS = (
    *("preset", "config", "overrides", "start", "run", "steps", "sources"),
    *("additional_dataset_paths", "device", "keep", "processes", "wandb", "wandb_project"),
)


@dataclass(frozen=True, kw_only=True)
class StoreSource:
    """Recorded episodes, with the labels in force."""

    wanted: EpisodeFilter
    # Of the samples; None: what its steps make of what the others leave.
    share: float | None
    name: str = "recorded episodes"


@dataclass(frozen=True, kw_only=True)
class DatasetSource:
    """A LeRobot dataset: in the data directory or anywhere on the disk, else on the Hub."""

    repo_id: str
    # None: the Hub has it.
    root: Path | None
    share: float | None

    @property
    def name(self) -> str:
        return self.repo_id


Source = StoreSource | DatasetSource


@dataclass(frozen=True, kw_only=True)
class TrainParams:
    """What was asked for."""

    config: LearnerConfig
    # What it came from, for people.
    preset: str
    # Checkpoint `run/step` that the run starts from, if it is one of ours.
    parent_id: str | None
    # None: named after preset and job.
    run: str | None
    sources: tuple[Source, ...]
    device: str
    # Newest checkpoints of the run that are kept.
    keep: int
    processes: int
    wandb: Literal["off", "online", "offline"]
    wandb_project: str

    @property
    def needs_hub(self) -> bool:
        """Whether something has to be fetched that the user named by its Hub id."""
        start = self.config.model.start_from
        return (
            any(isinstance(s, DatasetSource) and s.root is None for s in self.sources)
            or (start is not None and not Path(start).is_dir())
            or (self.config.model.size == "base" and self.parent_id is None)
        )


def read_train_params(params: Mapping[str, Any], data_dir: Path) -> TrainParams:
    """Check what was asked for.

    Raises:
        TrainParamsError: Naming the word and what is possible.
    """
    unknown = sorted(params.keys() - set(WORDS))
    if unknown:
        raise TrainParamsError(f"a training takes {', '.join(WORDS)}; got {', '.join(unknown)} too")
    config, parent_id = learner_config(params, data_dir)
    run = params.get("run")
    if run is not None and (not isinstance(run, str) or not RUN_NAME.fullmatch(run)):
        raise TrainParamsError(
            f"run is a name of letters, digits, '.', '_' and '-', got {run!r}: leave it out for one"
        )
    wandb = params.get("wandb", "off")
    if wandb not in WANDB_MODES:
        raise TrainParamsError(f"wandb is one of {', '.join(WANDB_MODES)}, got {wandb!r}")
    return TrainParams(
        config=config,
        preset=str(params.get("preset", DEFAULT_PRESET)) if "config" not in params else "own",
        parent_id=parent_id,
        run=run,
        sources=_sources(params, data_dir),
        device=_text(params, "device", "auto"),
        keep=read_count(params, "keep", 3),
        processes=read_count(params, "processes", 1),
        wandb=wandb,
        wandb_project=_text(params, "wandb_project", "handrail"),
    )


def check(params: Mapping[str, Any], data_dir: Path) -> None:
    """Refuse a training that could not be carried out, before it is queued.

    Raises:
        TrainParamsError: See `read_train_params`; or a run of that name is there.
    """
    run = read_train_params(params, data_dir).run
    if run is not None and (data_dir / CHECKPOINTS_DIR / run).exists():
        raise TrainParamsError(
            f"run {run} exists already: choose another name, or resume the job that made it"
        )


def launcher(params: Mapping[str, Any]) -> Sequence[str]:
    """What stands before `-m backend.jobs.train`: Accelerate's launcher for several processes."""
    processes = int(params.get("processes", 1))
    if processes == 1:
        return ()
    return (
        *("-m", "accelerate.commands.launch", "--multi_gpu", "--num_machines", "1"),
        *("--num_processes", str(processes), "--mixed_precision", "no", "--dynamo_backend", "no"),
        *("--main_process_port", "0"),
    )


def _sources(params: Mapping[str, Any], data_dir: Path) -> tuple[Source, ...]:
    listed = params.get("sources")
    paths = params.get("additional_dataset_paths", [])
    if listed is None:
        listed = [] if paths else [{"kind": "store"}]
    if not isinstance(listed, list) or not all(isinstance(s, Mapping) for s in listed):
        raise TrainParamsError(f"sources is a list of objects, got {listed!r}")
    if not isinstance(paths, list) or not all(isinstance(path, str) for path in paths):
        raise TrainParamsError(f"additional_dataset_paths is a list of folders, got {paths!r}")
    more = [{"kind": "dataset", "path": path} for path in paths]
    sources = tuple(_source(source, data_dir) for source in [*listed, *more])
    if not sources:
        raise TrainParamsError("sources is empty: name recorded episodes or a dataset")
    shares = [source.share for source in sources if source.share is not None]
    if sum(shares) > 1 + 1e-6:
        raise TrainParamsError(f"the shares of the sources sum to {sum(shares):g}, at most is 1")
    if len(shares) == len(sources) and abs(sum(shares) - 1) > 1e-6:
        raise TrainParamsError(
            f"the shares of all sources must sum to 1, got {sum(shares):g}: leave one out, and it "
            "gets the rest"
        )
    return sources


def _source(source: Mapping[str, Any], data_dir: Path) -> Source:
    share = source.get("share")
    if share is not None and (
        isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share <= 1
    ):
        raise TrainParamsError(f"the share of a source is a number in (0, 1], got {share!r}")
    kind = source.get("kind")
    known = {
        "store": {"kind", "share", "episodes"},
        "dataset": {"kind", "share", "repo_id", "path"},
    }
    if kind not in known or not source.keys() <= known[kind]:
        raise TrainParamsError(
            "a source is {kind: store, episodes, share} or {kind: dataset, repo_id or path, "
            f"share}}, got {dict(source)!r}"
        )
    share = None if share is None else float(share)
    if kind == "store":
        try:
            return StoreSource(wanted=read_episodes(source.get("episodes", "all")), share=share)
        except ExportParamsError as error:
            raise TrainParamsError(str(error)) from error
    repo_id, path = source.get("repo_id"), source.get("path")
    if (repo_id is None) == (path is None):
        raise TrainParamsError(f"a dataset is named by repo_id or by path, got {dict(source)!r}")
    if path is not None:
        root = Path(str(path)).expanduser()
        if not root.is_dir():
            raise TrainParamsError(f"there is no dataset at {path}")
        return DatasetSource(repo_id=str(path), root=root.absolute(), share=share)
    if not isinstance(repo_id, str) or repo_id.count("/") != 1 or ".." in repo_id:
        raise TrainParamsError(f"repo_id is two names with a slash, got {repo_id!r}")
    local = data_dir / DATASETS_DIR / repo_id
    if not local.is_dir() and repo_id.startswith("local/"):
        raise TrainParamsError(f"there is no dataset {repo_id} in {data_dir / DATASETS_DIR}")
    return DatasetSource(repo_id=repo_id, root=local if local.is_dir() else None, share=share)


def _text(params: Mapping[str, Any], name: str, default: str) -> str:
    value = params.get(name, default)
    if not isinstance(value, str) or not value:
        raise TrainParamsError(f"{name} is a text, got {value!r}")
    return value
