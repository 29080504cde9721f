"""Delivery: one planner per channel turns an effect into a send, and each send happens once."""
