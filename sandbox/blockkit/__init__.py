"""Block Kit: what Slack refuses, in Slack's words, and the ids and values that it fills in."""

from sandbox.blockkit.check import message_problems, options_problems, view_problems
from sandbox.blockkit.values import elements, find_element, held_values, input_problems, texts, with_choice, with_ids

__all__ = [
    "elements",
    "find_element",
    "held_values",
    "input_problems",
    "message_problems",
    "options_problems",
    "texts",
    "view_problems",
    "with_choice",
    "with_ids",
]
