"""How a person is reached: their methods and settings."""
