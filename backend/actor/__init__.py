"""The process that owns the robot: a fixed-rate loop, its safety, its recorder, its link."""
