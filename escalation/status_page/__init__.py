"""The public status page: a log of what was published, and the files that are rendered from it. Pure."""
