"""Search over incidents, and which of them are alike. Pure."""
