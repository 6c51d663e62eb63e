"""What each field of a learner config is: its kind, its choices, its explanation.

The explanations are the comments in `backend/learning/config.py`, read from its source, so that a
form never says something else than the code. Presets are the files of `configs/learners`.
"""

import ast
import dataclasses
import inspect
import types
import typing
from pathlib import Path
from typing import Any, Literal

import yaml

from backend.api.training_replies import ConfigField, Preset
from backend.learning import config as config_module
from backend.learning.config import ConfigError, LearnerConfig
from backend.learning.config_files import PRESETS_DIR, config_to_dict, load_config

KINDS = {int: "integer", float: "number", bool: "boolean", str: "text"}


def config_fields() -> list[ConfigField]:
    """Every field of `LearnerConfig` by its dotted name, in the order of the source."""
    return _fields(LearnerConfig, "", _explanations())


def presets() -> list[Preset]:
    """Every preset by name, those with mistakes included, saying which."""
    return [_preset(path) for path in sorted(PRESETS_DIR.glob("*.yaml"))]


def _preset(path: Path) -> Preset:
    try:
        config = load_config(path)
    except (ConfigError, yaml.YAMLError, OSError) as error:
        return Preset(name=path.stem, problem=str(error))
    return Preset(
        name=path.stem,
        about=_leading_comment(path.read_text(encoding="utf-8")),
        config=config_to_dict(config),
        total_steps=config.schedule.total_steps,
    )


def _leading_comment(text: str) -> str:
    """The comment at the top of a file; an empty comment line parts paragraphs."""
    paragraphs = [""]
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        words = line.lstrip("#").strip()
        if words:
            paragraphs[-1] = f"{paragraphs[-1]} {words}".strip()
        elif paragraphs[-1]:
            paragraphs.append("")
    return "\n".join(paragraph for paragraph in paragraphs if paragraph)


def _fields(cls: type, prefix: str, explained: dict[tuple[str, str], str]) -> list[ConfigField]:
    hints = typing.get_type_hints(cls)
    found = []
    for field in dataclasses.fields(cls):
        kind, optional = _without_none(hints[field.name])
        if dataclasses.is_dataclass(kind) and isinstance(kind, type) and not optional:
            found += _fields(kind, f"{prefix}{field.name}.", explained)
            continue
        name, choices = _kind(kind)
        found.append(
            ConfigField(
                name=f"{prefix}{field.name}",
                kind=name,
                choices=choices,
                optional=optional,
                about=explained.get((cls.__name__, field.name), ""),
            )
        )
    return found


def _kind(kind: Any) -> tuple[Any, list[str]]:
    if typing.get_origin(kind) is Literal:
        return "choice", [str(choice) for choice in typing.get_args(kind)]
    if typing.get_origin(kind) is tuple:
        return "list", []
    return KINDS.get(kind, "object"), []


def _without_none(kind: Any) -> tuple[Any, bool]:
    args = typing.get_args(kind)
    if typing.get_origin(kind) is types.UnionType and type(None) in args:
        (kind,) = (arg for arg in args if arg is not type(None))
        return kind, True
    return kind, False


def _explanations() -> dict[tuple[str, str], str]:
    """The comment above each field, by class and field."""
    source = inspect.getsource(config_module)
    lines = source.splitlines()
    found = {}
    for part in ast.parse(source).body:
        if not isinstance(part, ast.ClassDef):
            continue
        for statement in part.body:
            if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
                comment = _comment_above(lines, statement.lineno - 1)
                found[part.name, statement.target.id] = comment
    return found


def _comment_above(lines: list[str], index: int) -> str:
    words: list[str] = []
    while index > 0 and lines[index - 1].strip().startswith("#"):
        index -= 1
        words.insert(0, lines[index].strip().lstrip("#").strip())
    return " ".join(words)
