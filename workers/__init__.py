"""Time and delivery: fire checkpoints when they are due, carry out effects, run recurring work."""
