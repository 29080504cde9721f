"""Sources that watch metrics."""
