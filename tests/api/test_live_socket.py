"""What a page that watches may rely on."""

import pytest

from backend.domain import Phase
from backend.wire import Notice


def test_the_first_message_is_a_hello_that_says_who_you_are_and_what_is(actor, open_live):
    hello = open_live("Ana").next()

    assert hello["type"] == "hello"
    assert hello["you"] == "Ana"
    assert hello["role"] == "admin"
    assert hello["session"]["actor"] == {"state": "connected", "pid": actor.pid, "message": ""}
    assert [camera["name"] for camera in hello["session"]["cameras"]] == ["overhead", "wrist"]


def test_without_an_actor_hello_says_so_and_what_to_do(open_live):
    session = open_live().next()["session"]

    assert session["phase"] == "closed"
    assert session["actor"]["state"] == "stopped"
    assert "backend.actor" in session["actor"]["message"]
    assert session["possible"] == []


def test_frames_arrive_as_the_same_bytes(actor, open_live):
    live = open_live()

    sent = actor.send_frame(camera=1)

    assert live.next_frame() == sent


def test_a_page_that_comes_later_sees_the_newest_picture_at_once(actor, open_live):
    actor.send_frame()
    newest = actor.send_frame()

    assert open_live().next_frame() == newest


def test_a_page_that_acknowledges_nothing_gets_two_frames_a_camera_and_then_the_newest(
    actor, open_live
):
    live = open_live()
    sent = []
    for _ in range(2):
        sent.append(actor.send_frame())
        assert live.next_frame() == sent[-1]
    sent += [actor.send_frame() for _ in range(5)]
    other_camera = actor.send_frame(camera=1)
    assert live.next_frame() == other_camera, "credits are a camera's own"

    live.raw.send(bytes([0]))

    assert live.next_frame() == sent[-1], "frames in between are gone, not queued"


def test_a_slow_page_never_delays_another(actor, open_live):
    slow, fast = open_live("slow"), open_live("fast")
    big = b"\xff\xd8" + bytes(500_000)

    for _ in range(60):
        sent = actor.send_frame(jpeg=big)
        assert fast.next_frame() == sent
        fast.raw.send(bytes([0]))

    seen_by_slow = [slow.next_frame(), slow.next_frame()]
    assert len(set(seen_by_slow)) == 2
    with pytest.raises(TimeoutError):
        slow.next_frame(timeout_s=0.1)


def test_ticks_pass_through_in_order(actor, open_live):
    live = open_live()

    sent = [actor.tick(value=-0.5) for _ in range(20)]

    received = [live.next_of("tick") for _ in sent]
    assert [tick["step"] for tick in received] == [tick.step for tick in sent]
    assert received[0]["value"] == -0.5


def test_notices_of_the_actor_reach_the_page(actor, open_live):
    live = open_live()

    actor.send(Notice(level="warning", code="deadman", message="no keys for 250 ms", t_ms=1.0))

    assert live.next_of("event")["code"] == "deadman"


def test_hello_comes_again_when_the_phase_changed_and_not_for_every_step(actor, open_live):
    live = open_live()
    assert live.next()["session"]["phase"] == "closed"

    for _ in range(30):
        actor.tick(phase=Phase.IDLE)
    actor.tick(phase=Phase.POLICY)

    hellos, ticks = [], 0
    while not hellos or hellos[-1]["session"]["phase"] != "policy":
        message = live.next()
        if message["type"] == "hello":
            hellos.append(message)
        ticks += message["type"] == "tick"
    assert hellos[-1]["session"]["driver"] == "policy"
    assert "intervene" in hellos[-1]["session"]["possible"]
    assert len(hellos) <= 2


def test_new_cameras_start_with_full_credits(actor, open_live):
    live = open_live()
    for _ in range(2):
        actor.send_frame()
        live.next_frame()
    actor.send_frame()

    actor.hello(cameras=3)
    while len(live.next_of("hello")["session"]["cameras"]) != 3:
        pass

    sent = actor.send_frame()
    assert live.next_frame() == sent


@pytest.mark.parametrize(
    ("message", "code", "named"),
    [
        ("{}", 1003, "text messages are not understood"),
        (b"\x00\x00", 1009, "1 bytes"),
        (b"", 1008, "one byte"),
    ],
)
def test_what_is_no_acknowledgement_closes_only_this_connection(
    actor, open_live, message, code, named
):
    wrong, right = open_live("wrong"), open_live("right")
    wrong.next()
    wrong.raw.send(message)

    wrong.expect_refusal(code, named)
    sent = actor.send_frame()
    assert right.next_frame() == sent


def test_a_page_that_leaves_is_forgotten(server, actor, open_live):
    live, other = open_live(), open_live()
    live.close()

    actor.send_frame()
    other.next_frame()
    actor.send_frame()
    other.next_frame()

    assert server.backend.live.num_viewers == 1
