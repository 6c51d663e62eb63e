"""Which policy drives: the one asked for with `open`, then each promoted one between two episodes.

A promoted checkpoint that cannot drive changes nothing and is spoken of once. Of weights that a run
publishes one after the other and that cannot drive, the first is spoken of, until one can. Used by
the loop's thread only; loading goes on in `promotion.py`.
"""

import logging

from backend.actor.news import News
from backend.actor.orders import RefusedError
from backend.actor.promotion import Promotions, Refused
from backend.actor.rig import Rig, RigMaker, RigRefusedError, RobotFacts, close_policy
from backend.control import ActingPolicy, RobotFaultError

log = logging.getLogger(__name__)


class Succession:
    """Makes rigs with the right policy and knows who comes next."""

    def __init__(
        self, *, maker: RigMaker, promotions: Promotions, news: News, default: str
    ) -> None:
        """`default` is what `open` means when nobody named or promoted anything."""
        self._maker = maker
        self._promotions = promotions
        self._news = news
        self._default = default
        self._next: ActingPolicy | None = None
        # The run whose published weights were refused last.
        self._refused_run = ""

    def open(self, robot: str, wanted: str | None) -> tuple[RobotFacts, Rig]:
        """Connect, for a command that asked for it.

        Raises:
            RefusedError: It cannot be done; says why and what to do.
        """
        try:
            return self._maker.facts(robot), self._connect(robot, wanted)
        except RigRefusedError as error:
            raise RefusedError("bad_robot", str(error)) from error
        except RobotFaultError as error:
            raise RefusedError("robot_lost", f"{robot} cannot be connected: {error}") from error
        except Exception as error:
            # Third-party robots and cameras raise of every kind; the page must say which it was.
            log.exception("opening %s with policy %s failed", robot, wanted)
            raise RefusedError(
                "robot_lost",
                f"{robot} cannot be opened: {type(error).__name__}: {error}",
                "the actor's log has the details",
            ) from error

    def look(self, acting: str) -> None:
        """Hear what became of the newest promotion while `acting` drives; returns at once."""
        outcome = self._promotions.take()
        if isinstance(outcome, Refused):
            self._refuse(outcome.checkpoint_id, outcome.why, acting)
        elif outcome is not None:
            self._drop_next()
            self._next = outcome
            self._refused_run = ""

    def take(self) -> ActingPolicy | None:
        """The policy that is to drive from now on, once; None when the present one goes on."""
        policy, self._next = self._next, None
        return policy

    def robot_closed(self) -> None:
        """Whoever waited was loaded for that robot."""
        self._promotions.robot_closed()
        self._drop_next()

    def _connect(self, robot: str, wanted: str | None) -> Rig:
        """Connect `robot` with the policy `wanted`, else the promoted one, else the default.

        Raises:
            RigRefusedError, RobotFaultError: As `RigMaker.connect`.
        """
        promoted = self._promotions.newest
        while wanted is None and promoted is not None:
            try:
                return self._opened(self._maker.connect(robot, promoted.path))
            except RigRefusedError as error:
                newer = self._promotions.newest
                if newer == promoted:
                    self._refuse(promoted.checkpoint_id, str(error), self._default)
                    break
                # Weights that gave way to newer ones while the robot was being opened.
                promoted = newer
        rig = self._opened(self._maker.connect(robot, wanted or self._default))
        # What a person chose stays chosen.
        self._default = wanted or self._default
        return rig

    def _opened(self, rig: Rig) -> Rig:
        self._promotions.robot_opened(rig.arm)
        return rig

    def _drop_next(self) -> None:
        policy = self.take()
        if policy is not None:
            close_policy(policy)

    def _refuse(self, checkpoint_id: str, why: str, acting: str) -> None:
        said = f"promoted checkpoint {checkpoint_id} cannot drive, {acting} stays: {why}"
        log.error("%s", said)
        run, published, _version = checkpoint_id.partition("@")
        if published and run == self._refused_run:
            return
        self._refused_run = run if published else ""
        self._news.notice("error", "policy_refused", said)
