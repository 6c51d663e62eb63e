"""Background work: child processes, their queue, and what they do."""
