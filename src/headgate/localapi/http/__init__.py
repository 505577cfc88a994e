"""HTTP: ASGI application, request handlers, discovery, OpenAPI, tables."""
