"""After an incident was closed: what is still to be done about it. Pure."""
