"""Configuration of documents that are kept elsewhere."""
