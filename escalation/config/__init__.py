"""What a company configures: its policy, people, roles, rotations and business hours."""
