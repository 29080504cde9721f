"""Sources that watch whether something answers."""
