"""Alerts: an event of a rollout -> an HTTP request to a chat. One file per provider."""
