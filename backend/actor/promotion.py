"""The checkpoint that should drive, from its promotion until it is ready to.

The server names it (any thread): one that a person promoted, or weights that a learner published.
It is loaded in a thread of its own while the robot goes on with what it has; the session takes it
between two episodes. The newest promotion wins; one that was loaded drives until a newer one is,
so promotions that come faster than they can be loaded are followed with a delay, not lost. One
that cannot be loaded leaves everything as it is, and says so.

Only a promotion that was not known before replaces what a person chose with `open`: the server
repeats the same one on every connection.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from backend.actor.rig import RigRefusedError, close_policy
from backend.control import ActingPolicy, Arm

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Promoted:
    """What the server named."""

    # `run/step`, or `run@version` of published weights.
    checkpoint_id: str
    path: str
    # Unix time.
    promoted_s: float


@dataclass(frozen=True, kw_only=True)
class Refused:
    """A promotion that came to nothing; `why` names value, rule and remedy."""

    checkpoint_id: str
    why: str


class Promotions:
    """Used by the link's thread (`offer`) and the loop's (all else)."""

    def __init__(self, *, load: Callable[[str, Arm], ActingPolicy]) -> None:
        """Args: load: `RigMaker.load_policy`, of a checkpoint's folder."""
        self._load = load
        self._lock = threading.Lock()
        self._newest: Promoted | None = None
        self._arm: Arm | None = None
        # Named while a robot is open, and not being loaded yet.
        self._wanted: Promoted | None = None
        self._ready: ActingPolicy | None = None
        self._refused: Refused | None = None
        self._thread: threading.Thread | None = None

    def offer(self, promoted: Promoted) -> None:
        """The server says which checkpoint should drive; any thread, may be repeated."""
        with self._lock:
            if promoted == self._newest:
                return
            self._newest = promoted
            if self._arm is not None:
                self._wanted = promoted
                self._work()

    @property
    def newest(self) -> Promoted | None:
        """What `open` drives when it does not say."""
        with self._lock:
            return self._newest

    def robot_opened(self, arm: Arm) -> None:
        """Promotions from now on are loaded for `arm`."""
        with self._lock:
            self._arm = arm

    def robot_closed(self) -> None:
        """Nothing can be loaded for nobody; `newest` is remembered."""
        with self._lock:
            self._arm = self._wanted = None
            self._refused = None
            unused, self._ready = self._ready, None
        _drop(unused)

    def take(self) -> ActingPolicy | Refused | None:
        """What has become of the promotions, each once, refusals first; returns at once."""
        with self._lock:
            refused, self._refused = self._refused, None
            if refused is not None:
                return refused
            ready, self._ready = self._ready, None
            return ready

    def _work(self) -> None:
        if self._thread is None:
            # No daemon: torch aborts a process that ends in the midst of its loading.
            self._thread = threading.Thread(target=self._run, name="promotion")
            self._thread.start()

    def _run(self) -> None:
        while True:
            with self._lock:
                promoted, self._wanted, arm = self._wanted, None, self._arm
                if promoted is None or arm is None:
                    self._thread = None
                    return
            outcome: ActingPolicy | Refused
            try:
                outcome = self._load(promoted.path, arm)
            except RigRefusedError as error:
                outcome = Refused(checkpoint_id=promoted.checkpoint_id, why=str(error))
            except Exception as error:
                # Torch, safetensors and LeRobot raise many kinds; the robot keeps its policy.
                log.exception("checkpoint %s cannot be loaded", promoted.checkpoint_id)
                why = f"{type(error).__name__}: {error}; the actor's log has the details"
                outcome = Refused(checkpoint_id=promoted.checkpoint_id, why=why)
            self._keep(outcome, arm)

    def _keep(self, outcome: ActingPolicy | Refused, arm: Arm) -> None:
        unused: ActingPolicy | None = None
        with self._lock:
            is_meant = arm is self._arm
            if isinstance(outcome, Refused):
                self._refused = outcome if is_meant else self._refused
            elif is_meant:
                unused, self._ready = self._ready, outcome
            else:
                unused = outcome
        _drop(unused)


def _drop(policy: ActingPolicy | None) -> None:
    if policy is not None:
        close_policy(policy)
