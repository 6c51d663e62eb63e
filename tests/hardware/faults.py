"""What goes wrong on a cable: replies lost or garbled, a servo that says nothing any more.

Faults sit between the servos and the wire. They may be arranged at any moment from any thread.
Unplugging the whole bus is the bus's own: `bus.ServoBus.unplug`.
"""

import threading
from collections import defaultdict

ANY = None


class Faults:
    """Decides what becomes of each reply."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lose: defaultdict[int | None, int] = defaultdict(int)
        self._corrupt: defaultdict[int | None, int] = defaultdict(int)
        # Every how many replies of a servo one is garbled, and how many have passed.
        self._rhythm: dict[int, list[int]] = {}
        self._silent: set[int] = set()
        # Replies that did not arrive as they were sent.
        self.num_lost = 0
        self.num_corrupted = 0

    def lose(self, count: int, *, servo_id: int | None = ANY) -> None:
        """The next `count` replies, of one servo or of any, do not arrive."""
        with self._lock:
            self._lose[servo_id] += count

    def corrupt(self, count: int, *, servo_id: int | None = ANY) -> None:
        """The next `count` replies, of one servo or of any, arrive with a wrong checksum."""
        with self._lock:
            self._corrupt[servo_id] += count

    def corrupt_every(self, count: int, *, servo_id: int) -> None:
        """From now on one of `count` replies of a servo arrives with a wrong checksum."""
        with self._lock:
            self._rhythm[servo_id] = [count, 0]

    def silence(self, servo_id: int) -> None:
        """A servo answers nothing and obeys nothing: its cable is loose."""
        with self._lock:
            self._silent.add(servo_id)

    def revive(self, servo_id: int) -> None:
        """The loose cable is back."""
        with self._lock:
            self._silent.discard(servo_id)

    def clear(self) -> None:
        """Everything works again."""
        with self._lock:
            self._lose.clear()
            self._corrupt.clear()
            self._rhythm.clear()
            self._silent.clear()

    def is_silent(self, servo_id: int) -> bool:
        with self._lock:
            return servo_id in self._silent

    def apply(self, servo_id: int, reply: bytes) -> bytes:
        """Return what arrives of `reply`; nothing when it is lost."""
        with self._lock:
            if servo_id in self._silent:
                return b""
            if _spend(self._lose, servo_id):
                self.num_lost += 1
                return b""
            if _spend(self._corrupt, servo_id) or self._is_out_of_step(servo_id):
                self.num_corrupted += 1
                return reply[:-1] + bytes((reply[-1] ^ 0x55,))
            return reply

    def _is_out_of_step(self, servo_id: int) -> bool:
        rhythm = self._rhythm.get(servo_id)
        if rhythm is None:
            return False
        rhythm[1] += 1
        return rhythm[1] % rhythm[0] == 0


def _spend(budget: defaultdict[int | None, int], servo_id: int) -> bool:
    for key in (servo_id, ANY):
        if budget[key] > 0:
            budget[key] -= 1
            return True
    return False
