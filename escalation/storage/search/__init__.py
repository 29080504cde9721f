"""What the search knows, in Redis."""
