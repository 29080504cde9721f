"""Reviews as documents: Markdown, which is canonical and read back, HTML from it, a canvas, a public version."""
