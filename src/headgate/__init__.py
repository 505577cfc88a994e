"""Headgate: progressive delivery on the Kubernetes Gateway API."""
