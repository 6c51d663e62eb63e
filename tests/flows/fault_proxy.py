"""A bad line between two computers: TCP that is slow, breaks, and changes bytes."""

import contextlib
import socket
import threading
import time
from dataclasses import dataclass

CHUNK_BYTES = 32 * 1024


@dataclass(kw_only=True)
class Faults:
    """What goes wrong from now on with what is uploaded; the socket of the actor is only slow."""

    delay_s: float = 0.0
    # Uploads still to be broken, each after so many bytes of one connection.
    breaks: int = 0
    break_after_bytes: int = 300_000
    # Full chunks still to have one byte changed.
    damages: int = 0


class FaultProxy:
    """Listens on a port of its own and passes everything on to `target`."""

    def __init__(self, target: int, faults: Faults) -> None:
        self.faults = faults
        self.num_broken = 0
        self.num_damaged = 0
        self._target = target
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def break_all(self) -> None:
        """Pull the cable for a moment."""
        with self._lock:
            for one in self._open:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._listening.close()
        self.break_all()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                threading.Thread(target=self._connect, args=(near,), daemon=True).start()

    def _connect(self, near: socket.socket) -> None:
        try:
            far = socket.create_connection(("127.0.0.1", self._target))
        except OSError:
            near.close()
            return
        with self._lock:
            self._open |= {near, far}
        up = threading.Thread(target=self._pump, args=(near, far, True), daemon=True)
        up.start()
        self._pump(far, near, False)
        up.join()
        with self._lock:
            self._open -= {near, far}
        near.close()
        far.close()

    def _pump(self, source: socket.socket, sink: socket.socket, is_up: bool) -> None:
        passed = 0
        is_upload = False
        with contextlib.suppress(OSError):
            while chunk := source.recv(CHUNK_BYTES):
                if passed == 0:
                    is_upload = is_up and b"/ws/actor" not in chunk[:200]
                passed += len(chunk)
                time.sleep(self.faults.delay_s)
                if is_upload:
                    chunk = self._worsen(chunk, passed)
                sink.sendall(chunk)
        for one in (source, sink):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _worsen(self, chunk: bytes, passed: int) -> bytes:
        with self._lock:
            if self.faults.breaks and passed >= self.faults.break_after_bytes:
                self.faults.breaks -= 1
                self.num_broken += 1
                raise OSError("broken on purpose")
            # A full chunk lies in the midst of a part.
            if self.faults.damages and len(chunk) == CHUNK_BYTES:
                self.faults.damages -= 1
                self.num_damaged += 1
                middle = CHUNK_BYTES // 2
                chunk = chunk[:middle] + bytes([chunk[middle] ^ 0xFF]) + chunk[middle + 1 :]
        return chunk
