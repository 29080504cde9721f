"""`tocsin watchdog`: page when Tocsin does not."""
