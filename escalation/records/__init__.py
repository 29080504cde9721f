"""The record of what happened, and the proof that it was not changed."""
