"""Importers: what other on-call tools export, read into one neutral model, and written as a configuration of ours."""
