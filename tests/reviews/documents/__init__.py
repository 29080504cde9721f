"""Reviews as documents of other kinds: for the public, and printed."""
