"""Slack: an incoming webhook, or `chat.postMessage` with a bot token from the Secret."""

import msgspec

from ..queries import HTTPRequest
from . import Alert, Receiver

TYPE = "slack"


def request(alert: Alert, receiver: Receiver) -> HTTPRequest:
    """A message with one attachment, in the format of Flagger."""
    attachment = {
        "color": "danger" if alert.severity == "error" else "good",
        "author_name": alert.title,
        "text": alert.message,
        "mrkdwn_in": ["text"],
        "fields": [{"title": name, "value": value, "short": False} for name, value in alert.fields],
    }
    message = {
        "channel": receiver.channel,
        "username": receiver.username,
        "icon_url": "",
        "icon_emoji": ":rocket:",
        "attachments": [attachment],
    }
    headers = [("Content-Type", "application/json")]
    if receiver.token:
        headers.append(("Authorization", f"Bearer {receiver.token}"))
    return HTTPRequest(receiver.address, tuple(headers), "POST", msgspec.json.encode(message), proxy=receiver.proxy)
