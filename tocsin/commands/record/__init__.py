"""Commands that keep the record: prove it, remove from it."""
