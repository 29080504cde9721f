"""`tocsin mcp`: incidents for assistants that speak the Model Context Protocol, with one person's rights."""
