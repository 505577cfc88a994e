"""Bearer tokens of the administrator and of ServiceAccounts."""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Callable

import msgspec

ADMINISTRATOR = "headgate:admin"
ISSUER = "https://kubernetes.default.svc"


class Tokens:
    """Issues and checks tokens. A ServiceAccount token is a JWT, signed with a key that stays in the data folder."""

    def __init__(self, administrator: str, key: bytes, clock: Callable[[], float]) -> None:
        if not administrator or not key:
            raise ValueError("an empty token or key would let every client in")
        self._administrator = administrator
        self._key = key
        self._clock = clock

    def __repr__(self) -> str:
        return "Tokens(…)"

    def issue(self, namespace: str, account: str, uid: str, expires: float) -> str:
        """A token of a ServiceAccount."""
        now = int(self._clock())
        about = {"namespace": namespace, "serviceaccount": {"name": account, "uid": uid}}
        claims = {
            "iss": ISSUER,
            "aud": [ISSUER],
            "sub": f"system:serviceaccount:{namespace}:{account}",
            "iat": now,
            "nbf": now,
            "exp": int(expires),
            "jti": secrets.token_hex(8),
            "kubernetes.io": about,
        }
        body = f"{_encode({'alg': 'HS256', 'typ': 'JWT'})}.{_encode(claims)}"
        return f"{body}.{self._signature(body)}"

    def user(self, token: str) -> str | None:
        """The user of a token; None for an invalid or expired token."""
        if hmac.compare_digest(token.encode(), self._administrator.encode()):
            return ADMINISTRATOR
        body, _, signature = token.rpartition(".")
        if not body or not hmac.compare_digest(signature.encode(), self._signature(body).encode()):
            return None
        try:
            claims = msgspec.json.decode(_base64(body.partition(".")[2]))
        except (ValueError, binascii.Error):
            return None
        return str(claims["sub"]) if claims["exp"] > self._clock() else None

    def _signature(self, body: str) -> str:
        return _text(hmac.new(self._key, body.encode(), hashlib.sha256).digest())


def _encode(value: object) -> str:
    return _text(msgspec.json.encode(value))


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _base64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
