"""Planners of pages by SMS, call and push, and what their vendors report afterwards."""
