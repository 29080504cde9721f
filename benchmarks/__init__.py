"""Benchmarks and the chaos test: they start the real program and measure it from observed."""
