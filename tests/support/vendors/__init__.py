"""Vendors on this machine: they speak the documented shapes, and refuse what the vendors refuse."""
