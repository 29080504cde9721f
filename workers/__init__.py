"""Time and delivery: checkpoints fire, effects are sent."""
