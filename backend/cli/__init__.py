"""The command line: what the pages and the API say, for a terminal and for scripts."""
