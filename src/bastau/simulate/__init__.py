"""simulate: invented posts with known truth, for the demo, tests and benchmarks."""
