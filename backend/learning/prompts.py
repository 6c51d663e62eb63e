"""What the models read as text: the prompt of the actor and that of the critic.

    actor   Task: {task}, State: {ints}, Advantage: {word};\nAction:
    critic  Task: {task}, State: {ints}

With the word dropped the actor's prompt is the stock π0.5 prompt, letter for letter (LeRobot 0.6.1,
`Pi05PrepareStateTokenizerProcessorStep`). The critic's has no word: it must not see what it judges.
Which word a chunk gets is decided in `advantages.py` alone. No torch here: pages may show prompts.
"""

import numpy as np
from jaxtyping import Float, Int

# π0.5 writes each state dimension as one of 256 integers; -1 is below the normalised range.
STATE_BIN_EDGES = np.linspace(-1.0, 1.0, 256 + 1)[:-1]


def state_bins(state: Float[np.ndarray, "*b d"]) -> Int[np.ndarray, "*b d"]:
    """Return the integer, -1 to 255, that π0.5 writes for each normalised state dimension."""
    return np.digitize(state, STATE_BIN_EDGES) - 1


def clean_task(task: str) -> str:
    """Return the task as one line, underscores read as spaces."""
    return task.strip().replace("_", " ").replace("\n", " ")


def actor_prompt(task: str, bins: Int[np.ndarray, " d"], word: str | None) -> str:
    """Return the actor's prompt; without a word it is the stock π0.5 prompt."""
    advantage = "" if word is None else f", Advantage: {word}"
    return f"{critic_prompt(task, bins)}{advantage};\nAction: "


def critic_prompt(task: str, bins: Int[np.ndarray, " d"]) -> str:
    """Return the critic's prompt: what is to be done and where the robot is."""
    return f"Task: {clean_task(task)}, State: {' '.join(map(str, bins))}"
