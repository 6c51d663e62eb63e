"""Serial ports of a robot config: there, allowed, free, and named so that they stay the same.

Only looks at files; nothing is opened.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from backend.robots.preflight_finding import Finding, blocking, ok, warning

SERIAL_BY_ID = Path("/dev/serial/by-id")
# Names that the kernel gives in the order of plugging in.
UNSTABLE = ("ttyACM", "ttyUSB")


def ports_of(device: Mapping[str, Any], key: str) -> dict[str, str]:
    """Return the ports of a config's `robot` or `teleop` by the place they stand in."""
    return dict(_ports(device, key))


def check_ports(ports: Mapping[str, str], *, by_id: Path = SERIAL_BY_ID) -> list[Finding]:
    """Look at every port, without opening it.

    Args:
        ports: Paths by the config's key.
        by_id: Where the system keeps names that do not change.
    """
    findings = []
    first_use: dict[str, str] = {}
    for key, port in ports.items():
        real = os.path.realpath(port)
        if real in first_use:
            findings.append(
                blocking(
                    "port",
                    f"{key} and {first_use[real]} are the same port {port!r}",
                    "give each arm its own; `lerobot-find-port` tells which is which",
                )
            )
        else:
            findings.append(_check_port(key, port, by_id))
        first_use.setdefault(real, key)
    return findings


def stable_name(path: str, by_id: Path) -> Path | None:
    """Return the name in `by_id` that leads to `path`; None when there is none."""
    if not by_id.is_dir():
        return None
    real = os.path.realpath(path)
    return next((link for link in sorted(by_id.iterdir()) if os.path.realpath(link) == real), None)


def _ports(value: Mapping[str, Any], key: str) -> Iterator[tuple[str, str]]:
    for name, inner in value.items():
        if name == "port" and isinstance(inner, str):
            yield f"{key}.{name}", inner
        elif isinstance(inner, Mapping) and name != "cameras":
            yield from _ports(inner, f"{key}.{name}")


def _check_port(key: str, port: str, by_id: Path) -> Finding:
    path = Path(port)
    if not path.exists():
        there = sorted(str(link) for link in by_id.iterdir()) if by_id.is_dir() else []
        there = there or sorted(str(p) for name in UNSTABLE for p in Path("/dev").glob(f"{name}*"))
        return blocking(
            "port",
            f"{key} {port!r} does not exist",
            "plug the arm's USB cable in and switch its power on; "
            + (f"there now: {', '.join(there)}" if there else "no serial port is there now"),
        )
    if not os.access(path, os.R_OK | os.W_OK):
        return blocking(
            "port",
            f"{key} {port!r} may not be opened by this user",
            "add the user to the port's group, `sudo usermod -aG dialout $USER`, then log in anew",
        )
    if holders := _holders(path):
        return blocking(
            "port",
            f"{key} {port!r} is already open in process {', '.join(map(str, holders))}",
            "close the session or program that drives this arm; two would fight over it",
        )
    link = stable_name(port, by_id) if path.name.startswith(UNSTABLE) else None
    if link is not None:
        return warning(
            "port",
            f"{key} {port!r} may be another arm after the next start",
            f"write {str(link)!r} instead, which stays the same",
        )
    return ok("port", f"{key} {port!r} is there and free")


def _holders(path: Path) -> list[int]:
    """Return other processes of this user that have `path` open; empty where /proc is missing."""
    real, pids = os.path.realpath(path), []
    for process in Path("/proc").glob("[0-9]*"):
        if int(process.name) == os.getpid():
            continue
        try:
            is_holder = any(os.readlink(link) == real for link in (process / "fd").iterdir())
        except OSError:
            # Somebody else's process, or one that ended meanwhile.
            continue
        if is_holder:
            pids.append(int(process.name))
    return pids
