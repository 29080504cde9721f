"""Parts of an incident's state, by subject: frozen values that are stored."""
