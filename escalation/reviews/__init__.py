"""Post-incident reviews: what the events say, each line with its entry, and what people wrote beside it."""
