"""Reads learner configs from presets and YAML files, and writes them as plain values.

Presets are the documented files `configs/learners/{seed,recap,debug}.yaml`; a user copies one.
Unknown names are refused with the nearest known one. The seed's `config-hiserl.json` is read by
`seed_config.py`.
"""

import dataclasses
import difflib
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import yaml

from backend.learning.config import ConfigError, LearnerConfig

PRESETS_DIR = Path(__file__).resolve().parents[2] / "configs" / "learners"


def load_config(source: str | Path, overrides: Mapping[str, Any] | None = None) -> LearnerConfig:
    """Return the config of a preset's name or of a YAML file.

    Args:
        source: `seed`, `recap`, `debug`, another name in `configs/learners`, or a path.
        overrides: Nested like the file, or dotted (`{"model.size": "tiny"}`); laid over it.
    """
    path = Path(source)
    if path.suffix not in (".yaml", ".yml"):
        path = PRESETS_DIR / f"{source}.yaml"
    if not path.is_file():
        known = sorted(p.stem for p in PRESETS_DIR.glob("*.yaml"))
        raise ConfigError(f"no learner config {str(source)!r}; presets: {known}, or give a path")
    fields = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    for name, value in (overrides or {}).items():
        fields = _laid_over(fields, _nested(name, value))
    return config_from_dict(fields)


def config_from_dict(fields: Mapping[str, Any]) -> LearnerConfig:
    """Return the config that nested plain values describe, refusing unknown names."""
    return _build(LearnerConfig, fields, "")


def config_to_dict(config: LearnerConfig) -> dict[str, Any]:
    """Return the config as nested plain values: what `config_from_dict` reads."""
    return _plain(dataclasses.asdict(config))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    return list(value) if isinstance(value, tuple) else value


def _nested(name: str, value: Any) -> dict[str, Any]:
    head, _, rest = name.partition(".")
    return {head: _nested(rest, value) if rest else value}


def _laid_over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for name, value in above.items():
        if isinstance(value, Mapping) and isinstance(merged.get(name), Mapping):
            merged[name] = _laid_over(merged[name], value)
        else:
            merged[name] = value
    return merged


def _build(cls: type, fields: Any, where: str) -> Any:
    if not isinstance(fields, Mapping):
        raise ConfigError(f"{where or 'the config'} is {fields!r}, must be a mapping of fields")
    known = {f.name: f.type for f in dataclasses.fields(cls)}
    values = {}
    for name, value in fields.items():
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {sorted(known)}"
            raise ConfigError(f"unknown field {where}{name!r}: {hint}")
        values[name] = _coerced(known[name], value, f"{where}{name}")
    try:
        return cls(**values)
    except ConfigError as error:
        raise ConfigError(f"{where}{error}" if where else str(error)) from None


def _coerced(kind: Any, value: Any, where: str) -> Any:
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin is types.UnionType:
        if value is None and type(None) in args:
            return None
        (kind,) = (a for a in args if a is not type(None))
        origin, args = typing.get_origin(kind), typing.get_args(kind)
    if dataclasses.is_dataclass(kind):
        return _build(kind, value, f"{where}.")
    if origin is Literal:
        if value not in args:
            raise ConfigError(f"{where} is {value!r}, must be one of {list(args)}")
        return value
    if origin is tuple:
        if not isinstance(value, (list, tuple)):
            raise ConfigError(f"{where} is {value!r}, must be a list")
        inner = args[0]
        return tuple(_coerced(inner, item, where) for item in value)
    if kind is float and isinstance(value, str):
        # YAML 1.1 reads 1e-5 as text.
        try:
            return float(value)
        except ValueError:
            raise ConfigError(f"{where} is {value!r}, must be a number") from None
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise ConfigError(f"{where} is {value!r}, must be {kind.__name__}")
    return value
