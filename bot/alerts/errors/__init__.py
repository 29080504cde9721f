"""Sources that watch errors."""
