"""The nouns every part of Handrail shares: phases, commands, drivers, outcomes, states.

Nothing of Handrail is imported here. Values are the words that appear on the wire, in the
database and in files, so a member must never be renamed without a migration.
"""

from enum import StrEnum


class Phase(StrEnum):
    """Where a session is; the transitions are `backend.actor.phases.TRANSITIONS`."""

    CLOSED = "closed"
    IDLE = "idle"
    POLICY = "policy"
    HUMAN = "human"
    HELD = "held"
    ENDED = "ended"
    RESETTING = "resetting"
    STOPPED = "stopped"


class Command(StrEnum):
    """What a person or program may ask of a session, whichever way it arrives."""

    OPEN = "open"
    START = "start"
    INTERVENE = "intervene"
    SUCCESS = "success"
    FAILURE = "failure"
    ABORT = "abort"
    STOP = "stop"
    CLEAR = "clear"
    CLOSE = "close"


class Driver(StrEnum):
    """Who produced the action of a step. `none` is a robot that holds its pose."""

    POLICY = "policy"
    HUMAN = "human"
    NONE = "none"


class Outcome(StrEnum):
    """How an attempt ended, as judged by its labels. `none`: nobody has said."""

    SUCCESS = "success"
    FAILURE = "failure"
    NONE = "none"


class EndReason(StrEnum):
    """Why an episode stopped being recorded, which is a fact, not a judgement."""

    SUCCESS = "success"
    FAILURE = "failure"
    TIMEOUT = "timeout"
    ABORT = "abort"
    # The robot or its process failed; the steps up to then are kept.
    FAULT = "fault"
    # The recording process was killed; the take was closed at a later start.
    RECOVERED = "recovered"


class EpisodeState(StrEnum):
    """Life of an episode's folder."""

    RECORDING = "recording"
    # Recorded on another computer, which has yet to send it, or all of it.
    UPLOADING = "uploading"
    # Its recorder died: waits for a person to recover or discard it.
    UNFINISHED = "unfinished"
    FINISHED = "finished"
    RECOVERED = "recovered"
    DISCARDED = "discarded"


class JobKind(StrEnum):
    """What a background child process does."""

    EXPORT = "export"
    IMPORT = "import"
    HEALTH = "health"
    PUSH = "push"
    TRAIN = "train"
    ONLINE = "online"
    SCORE = "score"
    VIDEO = "video"


class JobState(StrEnum):
    """Life of a job."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_over(self) -> bool:
        return self in (JobState.DONE, JobState.FAILED, JobState.CANCELLED)


class Role(StrEnum):
    """What a client may do; each role includes the ones before it."""

    VIEWER = "viewer"
    LABELER = "labeler"
    OPERATOR = "operator"
    ADMIN = "admin"

    def includes(self, other: "Role") -> bool:
        order = list(Role)
        return order.index(self) >= order.index(other)
