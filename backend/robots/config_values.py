"""Checks one value of a robot config at a time, and words the error when it breaks a rule."""

import difflib
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any


class RobotConfigError(ValueError):
    """A robot config that cannot be used: names file, key, value, rule and remedy."""

    def __init__(self, source: str, key: str, rule: str) -> None:
        super().__init__(f"{source}: {key}: {rule}" if key else f"{source}: {rule}")


def suggest(word: object, known: Collection[str]) -> str:
    """Return a remedy for a misspelt `word`: the nearest right one, or all of them."""
    near = difflib.get_close_matches(str(word), known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"known: {', '.join(sorted(known))}"


@dataclass(frozen=True)
class ValueReader:
    """Checks values of one file; each method raises `RobotConfigError` for what breaks its rule.

    `key` is the value's place in the file, dotted.
    """

    source: str

    def error(self, key: str, rule: str) -> RobotConfigError:
        return RobotConfigError(self.source, key, rule)

    def mapping(self, key: str, value: object) -> Mapping[str, Any]:
        if not isinstance(value, Mapping):
            raise self.error(key, f"needs keys and values, got {value!r}")
        for name in value:
            if not isinstance(name, str):
                raise self.error(key, f"keys are text, got {name!r}; put it in quotes")
        return value

    def keys(
        self,
        key: str,
        value: Mapping[str, Any],
        *,
        required: tuple[str, ...] = (),
        optional: tuple[str, ...] = (),
    ) -> None:
        known = (*required, *optional)
        for name in value:
            if name not in known:
                full = f"{key}.{name}" if key else name
                raise self.error(full, f"unknown key; {suggest(name, known)}")
        missing = [name for name in required if name not in value]
        if missing:
            raise self.error(key, f"missing {', '.join(missing)}; see `configs/robots/`")

    def number(
        self,
        key: str,
        value: object,
        *,
        low: float = -math.inf,
        high: float = math.inf,
        open_low: bool = False,
    ) -> float:
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not math.isfinite(value)
        ):
            raise self.error(key, f"needs a finite number, got {value!r}")
        if not low <= value <= high or (open_low and value == low):
            rule = f"above {low}" if open_low else f"from {low} to {high}"
            raise self.error(key, f"must be {rule}, got {value!r}")
        return float(value)

    def text(self, key: str, value: object) -> str:
        if not isinstance(value, str) or not value.strip():
            raise self.error(key, f"needs text, got {value!r}")
        return value.strip()

    def choice(self, key: str, value: object, known: Collection[str]) -> str:
        if value not in known:
            raise self.error(key, f"got {value!r}; {suggest(value, known)}")
        return str(value)
