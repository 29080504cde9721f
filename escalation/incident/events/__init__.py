"""Events of an incident: its declaration, moves of people, outcomes of effects, and news.

Every event carries its reason in its own fields; `key` makes a repeated submit of one modal harmless.
"""
