"""Documents beside messages: canvases and Lists."""

from sandbox.webapi.documents import canvases, lists

__all__ = ["canvases", "lists"]
