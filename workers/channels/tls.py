"""TLS context of outgoing connections, created once: loading the certificate authorities takes 40 ms."""

import functools
import ssl


@functools.cache
def ssl_context() -> ssl.SSLContext:
    """The shared context; any number of threads may use it."""
    return ssl.create_default_context()
