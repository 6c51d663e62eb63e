"""Episodes as files, the labels said of them, and their way to LeRobot datasets."""
