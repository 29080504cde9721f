"""Reviews as documents: Markdown, which is canonical and read back, and HTML from the same text."""
