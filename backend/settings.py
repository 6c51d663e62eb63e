"""What a person may choose when starting the server, read once from flags and environment.

Every flag has an environment variable (`--data-dir`: `HANDRAIL_DATA_DIR`); the flag wins. A token
may be plain (it makes an admin) or `ROLE=TOKEN`. Contradictions are refused here, before anything
starts.

Nothing is opened or created here, and nothing else in the server reads the environment for choices.
"""

import argparse
import difflib
import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from backend.domain import Role

PROFILES = ("seed", "lerobot")
# The robot configs that come with Handrail, wherever it is started.
ROBOTS_DIR = Path(__file__).resolve().parents[1] / "configs" / "robots"


class SettingsError(ValueError):
    """A flag or variable that cannot be obeyed; the message says which, why and what to do."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How this server runs. Made by `read_settings`, or directly in tests."""

    host: str = "127.0.0.1"
    # 0 lets the system choose; the caller then replaces it with the port it got.
    port: int = 7860
    data_dir: Path = Path("data")
    # Folder of robot configs beside the data directory's own, and the one that `open` uses unless
    # told otherwise.
    robots_dir: Path = ROBOTS_DIR
    robot: str = "so101_sim_touch"
    policy: str = "hold"
    # Which keys the page listens to.
    profile: str = "seed"
    # (role, token) pairs; without any, everyone who reaches the server is its admin.
    tokens: tuple[tuple[Role, str], ...] = field(default=(), repr=False)
    # Host names by which browsers may call this server, besides loopback and addresses.
    allowed_hosts: tuple[str, ...] = ()
    # SQLAlchemy URL; None: SQLite in the data directory.
    database_url: str | None = None
    # Whether an empty data directory is offered example data; `./run` asks for it.
    sandbox: bool = False
    # Whether this server starts the actor; otherwise one connects from elsewhere.
    actor: bool = True
    setup_only: bool = False

    def __post_init__(self) -> None:
        if self.profile not in PROFILES:
            raise SettingsError(
                f"--profile is one of {', '.join(PROFILES)}, got {self.profile!r}"
                + _nearest(self.profile, PROFILES)
            )
        if not 0 <= self.port <= 65535:
            raise SettingsError(f"--port is a number from 0 to 65535, got {self.port}")
        if any(not token for _role, token in self.tokens):
            raise SettingsError("--token must not be empty: an empty token lets everyone in")
        if not is_loopback(self.host) and not self.tokens:
            raise SettingsError(
                f"--host {self.host} is reachable from other machines, and whoever reaches it can "
                "move the robot: give a token with --token or HANDRAIL_TOKEN, or keep --host "
                "127.0.0.1"
            )

    @property
    def url(self) -> str:
        """Address to open in a browser on this machine."""
        return f"http://{host_to_open(self.host)}:{self.port}"

    @property
    def actor_url(self) -> str:
        """Address that an actor on this machine connects to."""
        return f"ws://{host_to_open(self.host)}:{self.port}"

    @property
    def sqlalchemy_url(self) -> str:
        """Address of the database."""
        return self.database_url or f"sqlite:///{self.data_dir.absolute() / 'handrail.db'}"


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a server bound to `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def host_to_open(host: str) -> str:
    """How a program on this machine calls a server bound to `host`, as a URL spells it.

    Every address of the machine is bound by one that nobody can call; that changes nothing in who
    may bind it: such a server needs a token, see `is_loopback`.
    """
    callable_host = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"[{callable_host}]" if ":" in callable_host else callable_host


def read_settings(argv: Sequence[str], environ: Mapping[str, str]) -> Settings:
    """Return the settings of one start.

    Raises:
        SettingsError: An unknown flag, a wrong value, or choices that contradict each other.
        SystemExit: `--help` was asked for and printed.
    """
    parser = _parser(environ)
    flags, unknown = parser.parse_known_args(argv)
    if unknown:
        raise SettingsError(_unknown(unknown[0], parser))
    tokens = flags.token or ([environ["HANDRAIL_TOKEN"]] if environ.get("HANDRAIL_TOKEN") else [])
    return Settings(
        host=flags.host,
        port=_port(flags.port),
        data_dir=Path(flags.data_dir).expanduser().absolute(),
        robots_dir=Path(flags.robots_dir).expanduser().absolute(),
        robot=flags.robot,
        policy=flags.policy,
        profile=flags.profile,
        tokens=tuple(_role_and_token(text) for text in tokens),
        allowed_hosts=tuple(flags.allow_host),
        database_url=flags.database_url,
        sandbox=not flags.no_sandbox,
        actor=not flags.no_actor,
        setup_only=flags.setup_only,
    )


class _Parser(argparse.ArgumentParser):
    """Raises instead of ending the process."""

    def error(self, message: str) -> None:  # type: ignore[override]
        raise SettingsError(f"{message}; --help lists the flags")


def _parser(environ: Mapping[str, str]) -> _Parser:
    parser = _Parser(
        prog="./run",
        allow_abbrev=False,
        description="Serve Handrail: the pages, the API, and the process that owns the robot.",
        epilog="Each VALUE may also come from HANDRAIL_<FLAG>, for example HANDRAIL_DATA_DIR.",
    )

    def value(flag: str, default: str | None, text: str) -> None:
        variable = "HANDRAIL_" + flag.removeprefix("--").replace("-", "_").upper()
        shown = f" (default {default})" if default else ""
        parser.add_argument(
            flag, default=environ.get(variable, default), metavar="VALUE", help=text + shown
        )

    value("--host", "127.0.0.1", "address to listen on; anything but loopback demands a token")
    value("--port", "7860", "port to listen on; 0 takes a free one")
    value("--data-dir", "./data", "the one folder that holds everything")
    value("--robot", "so101_sim_touch", "robot config: a name in the robots folder or a path")
    value("--robots-dir", str(ROBOTS_DIR), "folder of robot configs, besides DATA_DIR/robots")
    value("--policy", "hold", "policy that drives until another is chosen")
    value("--profile", "seed", "keys of the page: seed or lerobot")
    value("--database-url", None, "SQLAlchemy URL instead of SQLite in the data directory")
    parser.add_argument(
        "--token",
        action="append",
        metavar="[ROLE=]TOKEN",
        help="token that clients must show, for an admin or for ROLE (viewer, labeler, operator, "
        "admin); repeatable; HANDRAIL_TOKEN keeps it out of the process list",
    )
    parser.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="name by which browsers call this server, such as robot.lan; repeatable",
    )
    parser.add_argument(
        "--no-sandbox", action="store_true", help="without the sandbox of example data"
    )
    parser.add_argument(
        "--no-actor", action="store_true", help="start no actor: one connects from elsewhere"
    )
    parser.add_argument(
        "--setup-only",
        action="store_true",
        help="set up, bring the database up to date, do not start",
    )
    return parser


def _unknown(flag: str, parser: argparse.ArgumentParser) -> str:
    known = [option for action in parser._actions for option in action.option_strings]
    return f"unknown flag {flag!r}{_nearest(flag.split('=')[0], known)}; --help lists the flags"


def _nearest(word: str, known: Sequence[str]) -> str:
    matches = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"; did you mean {matches[0]}?" if matches else ""


def _port(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise SettingsError(f"--port is a number from 0 to 65535, got {text!r}") from None


def _role_and_token(text: str) -> tuple[Role, str]:
    word, equals, token = text.partition("=")
    roles = [str(role) for role in Role]
    if equals and word in roles:
        return Role(word), token
    # Tokens may hold "=" (base64 does), but a role that was mistyped must not become one.
    if equals and token and (nearest := _nearest(word, roles)):
        raise SettingsError(f"--token {word}=…: {word!r} is no role{nearest}")
    return Role.ADMIN, text
