"""Kubernetes as nouns: frozen types, one file per API group, and the pure operations on them."""
