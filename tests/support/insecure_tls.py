"""TLS without verification, for Gateways with self-signed certificates."""

import ssl


def insecure_context() -> ssl.SSLContext:
    """A client context that verifies no certificate, as curl's `-k`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
