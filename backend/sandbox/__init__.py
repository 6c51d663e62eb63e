"""The example data of a first start: a bundle, and what brings it into a data directory."""
