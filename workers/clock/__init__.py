"""Time: the ticker, which enqueues jobs that are due, and the sweep, which repairs lost jobs."""
