"""The certificate authorities that we trust: read once, since that takes 40 ms, and each call would do it again."""

import functools
import ssl


@functools.cache
def trust() -> ssl.SSLContext:
    """For connections to others; any number of threads may share it."""
    return ssl.create_default_context()
