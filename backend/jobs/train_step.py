"""One step of a learner in a job: what stops it is told as people should read it.

A prompt that is too long passes as it is: what becomes of a run with such a task, the run itself
decides.
"""

from backend.jobs.child import JobFailedError
from backend.jobs.train_news import TrainNews
from backend.learning.learner import Learner
from backend.learning.meter import Metrics
from backend.learning.pi05_rl.processor_pi05_rl import PromptTooLongError


def train_step(learner: Learner, news: TrainNews) -> Metrics:
    """Let `learner` learn from one batch; return its numbers.

    Raises:
        JobFailedError: The run diverged, or there is nothing to draw a batch from.
        PromptTooLongError: A task and its state take more tokens than a prompt may have.
    """
    try:
        return learner.train_step()
    except FloatingPointError as error:
        news.alarm("not_finite", learner.step, str(error))
        raise JobFailedError(f"the run diverged in step {learner.step}: {error}") from error
    except PromptTooLongError:
        raise
    except ValueError as error:
        raise JobFailedError(f"step {learner.step} cannot be made: {error}") from error
