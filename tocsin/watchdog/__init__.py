"""`tocsin watchdog`."""
