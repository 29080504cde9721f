"""Block Kit: what Slack refuses, in Slack's words, and the ids and values that it fills in."""

from sandbox.blockkit.check import message_problems, view_problems
from sandbox.blockkit.values import elements, find_element, input_problems, texts, view_values, with_ids

__all__ = [
    "elements",
    "find_element",
    "input_problems",
    "message_problems",
    "texts",
    "view_problems",
    "view_values",
    "with_ids",
]
