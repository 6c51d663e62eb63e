"""Where robot configs are: a person's own, and those that are shipped.

Own ones lie in `robots/` of the data directory. They are what the Setup page writes, and are found
first; a shipped one is never written to. Whoever knows the data directory finds the same configs:
server, actor and command line all ask here.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from backend.robots.config import (
    ROBOTS_DIR,
    SUFFIXES,
    RobotConfig,
    RobotConfigError,
    list_robot_configs,
    load_robot_config,
    suggest,
)

OWN = "robots"
# Where what an own config was before goes, so that nothing is lost.
FORMER = "former"
MAX_NAME = 60


@dataclass(frozen=True, kw_only=True)
class RobotFolders:
    """All places where robot configs are looked for."""

    own: Path
    shipped: Path = ROBOTS_DIR

    @classmethod
    def of(cls, data_dir: Path, *, shipped: Path = ROBOTS_DIR) -> "RobotFolders":
        """Those of a data directory."""
        return cls(own=data_dir / OWN, shipped=shipped)

    def names(self) -> list[str]:
        """Names of all configs, sorted; they may still be invalid."""
        return sorted({*list_robot_configs(self.own), *list_robot_configs(self.shipped)})

    def is_own(self, name: str) -> bool:
        """Whether this is a person's own config, which may be written to."""
        return name in list_robot_configs(self.own)

    def load(self, name_or_path: str | Path) -> RobotConfig:
        """Read one config by its name, or by the path of its file.

        Raises:
            RobotConfigError: There is none, or something in it breaks a rule.
        """
        name = str(name_or_path)
        if self.is_own(name):
            return load_robot_config(name, self.own)
        if Path(name).suffix in SUFFIXES or name in list_robot_configs(self.shipped):
            return load_robot_config(name, self.shipped)
        raise RobotConfigError(
            f"{self.own} and {self.shipped}",
            "",
            f"no robot config named {name!r}; {suggest(name, self.names())}",
        )

    def path_of(self, name: str) -> Path:
        """The file of a config that may be invalid.

        Raises:
            RobotConfigError: There is none.
        """
        for folder in (self.own, self.shipped):
            for suffix in SUFFIXES:
                if name and Path(name).name == name and (folder / f"{name}{suffix}").is_file():
                    return folder / f"{name}{suffix}"
        return self.load(name).source

    def save(self, name: str, text: str, *, wall_s: float) -> RobotConfig:
        """Write an own config, if it is one; what it was before is kept aside.

        Args:
            name: What it will be called; no shipped config's name.
            text: YAML.
            wall_s: Unix time in seconds, which names what was before.

        Raises:
            RobotConfigError: The name cannot be had, or something in the text breaks a rule;
                nothing has changed then.
        """
        path = self._own_path(name)
        self.own.mkdir(parents=True, exist_ok=True)
        # With a suffix of configs, for it is read as one, and hidden, for it is none.
        aside = self.own / FORMER / f".{name}.yaml"
        aside.parent.mkdir(exist_ok=True)
        try:
            _write(aside, text)
            try:
                load_robot_config(aside)
            except RobotConfigError as error:
                rule = str(error).removeprefix(f"{aside}: ")
                raise RobotConfigError(name, "", rule) from error
            if path.exists():
                path.rename(self.own / FORMER / f"{name}.{wall_s:.3f}.yaml")
            aside.rename(path)
        finally:
            aside.unlink(missing_ok=True)
        return load_robot_config(path)

    def _own_path(self, name: str) -> Path:
        if not name or len(name) > MAX_NAME or not name.replace("-", "_").isidentifier():
            raise RobotConfigError(
                str(self.own),
                "",
                f"a name has letters, digits, - and _, and begins with a letter, got {name!r}",
            )
        if name in list_robot_configs(self.shipped):
            raise RobotConfigError(
                str(self.own),
                "",
                f"{name!r} comes with Handrail and stays as it is; choose another",
            )
        taken = [self.own / f"{name}{suffix}" for suffix in SUFFIXES]
        return next((path for path in taken if path.exists()), taken[0])


def _write(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
