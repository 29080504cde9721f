"""Commands that read, check, simulate and write a configuration."""
