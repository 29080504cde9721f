"""Configuration of a company: policy, people, roles, rotations and business hours."""
