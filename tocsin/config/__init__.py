"""Settings and configuration files, loaded and validated."""
