"""In which order the actor is told things."""

from dataclasses import dataclass

from backend.api.actor_line import Outbox
from backend.api.clock import Clock
from backend.domain import Command
from backend.wire import CommandMessage, InputMessage, LeaseMessage


@dataclass
class Wall:
    now_s: float = 1000.0

    def __call__(self) -> float:
        return self.now_s


def command(name):
    return CommandMessage(command=name, command_id=str(name), author="Ana", sent_ms=0.0)


async def take_all(outbox, count):
    return [await outbox.next() for _ in range(count)]


async def test_stop_goes_ahead_of_everything_that_waits():
    outbox = Outbox(Clock())
    waiting = [command(Command.START), LeaseMessage(holder="Ana"), command(Command.SUCCESS)]
    for message in waiting:
        outbox.put(message)

    outbox.put(command(Command.STOP))

    assert await take_all(outbox, 4) == [command(Command.STOP), *waiting]


async def test_inputs_keep_their_order_and_old_ones_are_dropped():
    wall = Wall()
    outbox = Outbox(Clock(wall_s=wall))
    for seq in range(4):
        outbox.put(InputMessage(seq=seq, sent_ms=wall.now_s * 1000, held=["ArrowUp"]))
        wall.now_s += 0.1

    outbox.put(LeaseMessage(holder=None))

    told = await take_all(outbox, 3)
    assert [message.seq for message in told[:2]] == [2, 3], "300 and 400 ms old ones are gone"
    assert told[2] == LeaseMessage(holder=None)


async def test_a_closed_outbox_ends_whoever_waits_for_it():
    outbox = Outbox(Clock())
    outbox.put(command(Command.START))

    outbox.close()

    assert await outbox.next() is None
