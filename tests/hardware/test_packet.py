"""The protocol's frames."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.hardware.packet import Decoder, Packet

packets = st.builds(
    Packet,
    servo_id=st.integers(0, 0xFD),
    code=st.integers(0, 0x83),
    params=st.binary(max_size=40),
)


@given(st.lists(packets, max_size=5), st.integers(1, 7))
def test_frames_come_back_whole_however_the_stream_is_cut(sent, size):
    stream, decoder = b"".join(packet.pack() for packet in sent), Decoder()

    received = []
    for start in range(0, len(stream), size):
        received += decoder.feed(stream[start : start + size])

    assert received == sent
    assert decoder.num_rejected == 0


def test_the_checksum_is_the_one_of_the_manual():
    # Read two bytes from address 56 of servo 1.
    assert Packet(servo_id=1, code=2, params=bytes((56, 2))).pack().hex() == "ffff0104023802be"


def test_a_frame_with_a_wrong_checksum_is_dropped_and_the_next_one_found():
    bad = bytearray(Packet(servo_id=1, code=2, params=bytes((56, 2))).pack())
    bad[-1] ^= 0x55
    good = Packet(servo_id=2, code=1)
    decoder = Decoder()

    assert decoder.feed(bytes(bad) + good.pack()) == [good]
    assert decoder.num_rejected == 1


@pytest.mark.parametrize("noise", [b"", b"\x00\x01", b"\xff", b"\xff\xff\x01\x00"])
def test_noise_before_a_frame_is_skipped(noise):
    packet = Packet(servo_id=3, code=1)

    assert Decoder().feed(noise + packet.pack()) == [packet]
