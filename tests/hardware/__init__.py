"""An SO-101 without its hardware: servos on a pseudo-terminal, for LeRobot's own drivers."""
