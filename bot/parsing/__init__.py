"""What people typed after /incident, parsed."""
