"""Everything behind the pages: the API, the actor, the episode store, learning and jobs."""
