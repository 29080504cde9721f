"""Words of the kinds of timeline entries, by subject."""
