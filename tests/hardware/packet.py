"""The frames of the Feetech STS protocol, as a servo sees them: bytes in, requests out, and back.

    request  FF FF  id  length  instruction  parameters…  checksum
    status   FF FF  id  length  error        parameters…  checksum

`length` counts what follows it. The checksum is the inverted low byte of the sum from `id` on.
Two-byte values are little-endian. Nothing here knows registers or servos.
"""

from dataclasses import dataclass
from enum import IntEnum

HEADER = b"\xff\xff"
# Every servo listens to it and none answers, except to a broadcast ping.
BROADCAST_ID = 0xFE
# Header, id, length, instruction or error, checksum.
MIN_PACKET_BYTES = 6


class Instruction(IntEnum):
    """What a request asks for."""

    PING = 0x01
    READ = 0x02
    WRITE = 0x03
    REG_WRITE = 0x04
    ACTION = 0x05
    SYNC_READ = 0x82
    SYNC_WRITE = 0x83


@dataclass(frozen=True, kw_only=True)
class Packet:
    """One frame without header, length and checksum; `code` is instruction or error."""

    servo_id: int
    code: int
    params: bytes = b""

    def pack(self) -> bytes:
        """Return the frame as it is on the wire."""
        body = bytes((self.servo_id, len(self.params) + 2, self.code)) + self.params
        return HEADER + body + bytes((checksum(body),))


def checksum(body: bytes) -> int:
    """Return the checksum of everything between header and checksum."""
    return ~sum(body) & 0xFF


class Decoder:
    """Finds frames in a stream that may begin anywhere and hold garbage."""

    def __init__(self) -> None:
        # Frames whose checksum was wrong.
        self.num_rejected = 0
        self._waiting = bytearray()

    def feed(self, data: bytes) -> list[Packet]:
        """Take what came and return the frames that are whole now, in order."""
        self._waiting += data
        packets = []
        while self._skip_to_header() and len(self._waiting) >= MIN_PACKET_BYTES:
            length = self._waiting[3]
            if length < 2:
                del self._waiting[:1]
                continue
            size = length + 4
            if len(self._waiting) < size:
                break
            body, given = bytes(self._waiting[2 : size - 1]), self._waiting[size - 1]
            if checksum(body) != given:
                self.num_rejected += 1
                del self._waiting[:1]
                continue
            del self._waiting[:size]
            packets.append(Packet(servo_id=body[0], code=body[2], params=body[3:]))
        return packets

    def _skip_to_header(self) -> bool:
        """Drop what cannot begin a frame; False when nothing is left that could."""
        start = self._waiting.find(HEADER)
        if start < 0:
            # The last byte may be the first of a header.
            del self._waiting[: -1 if self._waiting.endswith(HEADER[:1]) else None]
            return False
        del self._waiting[:start]
        # A third FF means that the header began one byte later.
        while len(self._waiting) > 2 and self._waiting[2] == 0xFF:
            del self._waiting[:1]
        return True
