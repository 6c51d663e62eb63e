"""The schedule: absolute, without drift, without bursts, and honest about what it missed."""

import pytest

from backend.actor.pacing import Pacer
from tests.actor.fakes import FakeClock


@pytest.fixture
def clock():
    return FakeClock()


def run(pacer, clock, works_s):
    """Return when each tick began, given how long the work of each one takes."""
    began_s = []
    for work_s in works_s:
        pacer.wait()
        began_s.append(clock.time_s - 1000)
        clock.time_s += work_s
    return began_s


def test_ticks_begin_on_an_absolute_schedule_however_long_the_work_takes(clock):
    began_s = run(Pacer(hz=10, clock=clock), clock, [0.09, 0.01, 0.05, 0.0, 0.099])

    assert began_s == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5])


def test_a_late_tick_delays_no_other(clock):
    began_s = run(Pacer(hz=10, clock=clock), clock, [0.13, 0.01, 0.01])

    assert began_s == pytest.approx([0.1, 0.23, 0.3])


def test_a_stall_is_skipped_and_counted_not_caught_up_in_a_burst(clock):
    pacer = Pacer(hz=10, clock=clock)

    began_s = run(pacer, clock, [0.75, 0.01, 0.01])

    assert began_s == pytest.approx([0.1, 0.9, 1.0])
    run(pacer, clock, [0.01] * 3)
    assert pacer.rates().overruns == 1


def test_ten_thousand_uneven_ticks_do_not_drift(clock):
    pacer = Pacer(hz=30, clock=clock)

    began_s = run(pacer, clock, [0.001 * (tick % 30) for tick in range(10_000)])

    assert began_s[-1] == pytest.approx(10_000 / 30)
    assert pacer.rates().overruns == 0


def test_rates_tell_the_rate_and_the_lateness_of_the_last_seconds(clock):
    pacer = Pacer(hz=10, clock=clock)
    run(pacer, clock, [0.5] * 20)
    run(pacer, clock, [0.0] * 100)

    rates = pacer.rates()

    assert rates.loop_hz == pytest.approx(10, abs=0.01)
    assert rates.target_hz == 10
    assert rates.late_p50_ms == pytest.approx(0, abs=1e-3)
    assert rates.late_p99_ms == pytest.approx(0, abs=1e-3)
    assert rates.overruns == 20


def test_lateness_is_measured_against_the_deadline(clock):
    pacer = Pacer(hz=10, clock=clock)
    run(pacer, clock, [0.12, 0.01] * 25)

    assert pacer.rates().late_p99_ms == pytest.approx(20, abs=0.1)


def test_a_rate_of_zero_is_refused(clock):
    with pytest.raises(ValueError, match="above 0 Hz, got 0"):
        Pacer(hz=0, clock=clock)
