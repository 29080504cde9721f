"""From an effect to a message that was sent once."""
