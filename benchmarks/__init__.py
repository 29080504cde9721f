"""What is promised, measured: each benchmark starts the real program and looks at it from outside."""
