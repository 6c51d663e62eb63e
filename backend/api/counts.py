"""The present session's attempts as the pages' few numbers."""

from backend.api.messages import Counts
from backend.statistics import Summary


def counts_of(summary: Summary) -> Counts:
    return Counts(**{name: getattr(summary, name) for name in Counts.model_fields})
