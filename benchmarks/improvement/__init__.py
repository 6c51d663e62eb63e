"""Does learning from graded attempts and interventions beat imitation? Run it: `__main__.py`."""
