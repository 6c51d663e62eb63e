"""Who may drive: one open control socket at a time.

The lease ends when its socket closes or releases it. Somebody else may take it when its holder went
silent: after a second while a human drives or is held (a hand that is gone must be replaceable at
once), after half a minute while nothing moves (a forgotten tab). While the policy drives, silence
alone takes nothing away: the actor decides what silence means for the robot.

No socket and no message is known here.
"""

from collections.abc import Callable
from dataclasses import dataclass

from backend.domain import Phase

SILENT_DRIVER_S = 1.0
FORGOTTEN_S = 30.0


@dataclass(frozen=True, kw_only=True)
class Holder:
    """One control socket and the name of the person behind it."""

    client_id: str
    name: str


class LeaseBook:
    """The lease and when its holder was last heard. Used on the event loop only."""

    def __init__(self, *, monotonic_s: Callable[[], float]) -> None:
        self._monotonic_s = monotonic_s
        self._heard_s = 0.0
        self.holder: Holder | None = None

    def take(self, client: Holder, *, phase: Phase) -> bool:
        """Give `client` the lease if it is free, already theirs, or its holder is silent."""
        taken = self.holder is not None and self.holder.client_id != client.client_id
        if taken and not self._is_silent(phase):
            return False
        self.holder = client
        self._heard_s = self._monotonic_s()
        return True

    def release(self, client_id: str) -> bool:
        """Free the lease; False when `client_id` did not hold it."""
        if not self.is_held_by(client_id):
            return False
        self.holder = None
        return True

    def heard(self, client_id: str) -> bool:
        """Note a sign of life; False when `client_id` does not hold the lease."""
        if not self.is_held_by(client_id):
            return False
        self._heard_s = self._monotonic_s()
        return True

    def is_held_by(self, client_id: str) -> bool:
        return self.holder is not None and self.holder.client_id == client_id

    def _is_silent(self, phase: Phase) -> bool:
        if phase is Phase.POLICY:
            return False
        allowed_s = SILENT_DRIVER_S if phase in (Phase.HUMAN, Phase.HELD) else FORGOTTEN_S
        return self._monotonic_s() - self._heard_s > allowed_s
