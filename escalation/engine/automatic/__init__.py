"""Work in the systems of the company."""
