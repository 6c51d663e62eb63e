"""The state machine as a table: nothing is undecided, and no walk through it loses its way."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.actor.phases import (
    ATTEMPT,
    TRANSITIONS,
    CommandRefusedError,
    Happening,
    State,
    Target,
    possible,
)
from backend.domain import Command, Phase

# The whole machine, written out by hand: (phase, commands that are accepted).
ACCEPTED = {
    Phase.CLOSED: {"open", "stop", "close"},
    Phase.IDLE: {"start", "stop", "close"},
    Phase.POLICY: {"intervene", "success", "failure", "abort", "stop", "close"},
    Phase.HUMAN: {"intervene", "success", "failure", "abort", "stop", "close"},
    Phase.HELD: {"start", "intervene", "success", "failure", "abort", "stop", "close"},
    Phase.ENDED: {"stop", "close"},
    Phase.RESETTING: {"stop", "close"},
    Phase.STOPPED: {"clear", "stop", "close"},
}
HAPPENS = {
    Happening.SAFETY: {Phase.POLICY, Phase.HUMAN},
    Happening.DRIVER_BACK: {Phase.HELD},
    Happening.TIMEOUT: {Phase.POLICY, Phase.HUMAN},
    Happening.RECORDED: {Phase.ENDED},
    Happening.RESET_DONE: {Phase.RESETTING},
    Happening.ROBOT_LOST: set(Phase) - {Phase.CLOSED},
}


def state_in(phase: Phase) -> State:
    return State(
        phase=phase,
        came_from=Phase.HUMAN if phase in (Phase.HELD, Phase.STOPPED) else None,
        episode_open=phase in (*ATTEMPT, Phase.HELD),
    )


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("command", Command)
def test_every_pair_of_phase_and_command_is_a_transition_or_a_named_refusal(phase, command):
    state = state_in(phase)
    if command in ACCEPTED[phase]:
        assert state.on(command).phase in Phase
        assert command in possible(phase)
        return

    with pytest.raises(CommandRefusedError) as refused:
        state.on(command)

    assert refused.value.phase is phase
    assert refused.value.command is command
    assert refused.value.possible == [c for c in Command if c in ACCEPTED[phase]]
    assert f"{command} is not possible while {phase}" in str(refused.value)
    for name in ACCEPTED[phase]:
        assert name in str(refused.value)


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("happening", Happening)
def test_every_happening_is_a_transition_or_cannot_be(phase, happening):
    state = state_in(phase)
    if phase in HAPPENS[happening]:
        assert state.on(happening).phase in Phase
        return

    with pytest.raises(ValueError, match=f"{happening} cannot happen while {phase}"):
        state.on(happening)


def test_the_table_knows_only_phases_commands_and_happenings():
    for (phase, event), target in TRANSITIONS.items():
        assert phase in Phase
        assert isinstance(event, Command | Happening)
        assert isinstance(target, Phase | Target)


@pytest.mark.parametrize("driver", ATTEMPT)
def test_start_leads_from_held_to_where_it_came_from(driver):
    held = State(phase=driver, episode_open=True).on(Happening.SAFETY)

    assert held == State(phase=Phase.HELD, came_from=driver, episode_open=True)
    assert held.on(Command.START).phase is driver
    assert held.on(Command.INTERVENE).phase is Phase.HUMAN


@pytest.mark.parametrize("driver", ATTEMPT)
def test_a_stop_in_an_attempt_clears_to_held_and_remembers_who_drove(driver):
    stopped = State(phase=driver, episode_open=True).on(Command.STOP)
    again = stopped.on(Command.STOP)

    assert again.phase is Phase.STOPPED
    cleared = again.on(Command.CLEAR)
    assert cleared == State(phase=Phase.HELD, came_from=driver, episode_open=True)
    assert cleared.on(Command.START).phase is driver


@pytest.mark.parametrize("phase", [Phase.IDLE, Phase.ENDED, Phase.RESETTING])
def test_a_stop_between_attempts_clears_to_idle(phase):
    assert State(phase=phase).on(Command.STOP).on(Command.CLEAR) == State(phase=Phase.IDLE)


@given(st.lists(st.sampled_from([*Command, *Happening]), max_size=60))
def test_no_walk_loses_its_episode_or_its_way_out(events):
    state = State()
    for event in events:
        before = state
        try:
            state = state.on(event)
        except (CommandRefusedError, ValueError):
            continue
        # A stop is latched: nothing but clear, close or a lost robot leaves it.
        if before.phase is Phase.STOPPED and state.phase is not Phase.STOPPED:
            assert event in (Command.CLEAR, Command.CLOSE, Happening.ROBOT_LOST)
        # The policy never starts to move without somebody saying so.
        if state.phase is Phase.POLICY and before.phase is not Phase.POLICY:
            assert event in (Command.START, Command.INTERVENE) or (
                event is Happening.DRIVER_BACK and before.came_from is Phase.POLICY
            )
        assert state.episode_open or state.phase not in (*ATTEMPT, Phase.HELD)
        assert not (state.episode_open and state.phase in (Phase.CLOSED, Phase.IDLE))
        assert state.came_from is None or state.phase in (Phase.HELD, Phase.STOPPED)
        assert state.phase is not Phase.HELD or state.came_from in ATTEMPT
        assert Command.STOP in possible(state.phase)
        assert state.on(Command.CLOSE) == State()
