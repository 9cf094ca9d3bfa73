"""A small OpenID provider inside the process: real keys, real signatures, no network."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import secrets
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests
from joserfc import jwt
from joserfc.jwk import RSAKey
from requests.adapters import BaseAdapter

ISSUER = "https://login.example"
CLIENT = "storetwin"
SECRET = "only the service and its provider"
BACK = "https://stores.example/api/v1/session/oidc:finish"
CONFIG = {
    "OIDC_ISSUER": ISSUER,
    "OIDC_CLIENT_ID": CLIENT,
    "OIDC_CLIENT_SECRET": SECRET,
    "OIDC_REDIRECT_URI": BACK,
}


class TinyProvider(BaseAdapter):
    """Answers discovery, keys and the token endpoint as a transport of requests.

    Attributes
    ----------
    changed : claims that the next tokens carry instead of the right ones
    signed_by : key that signs instead of the published one
    sign : makes the token, instead of by the key
    """

    def __init__(self, clock: Any) -> None:
        super().__init__()
        self.clock = clock
        self.key = RSAKey.generate_key(2048, {"kid": "first"}, auto_kid=False)
        self.asked: list[str] = []
        self.codes: dict[str, dict[str, str]] = {}
        self.changed: dict[str, Any] = {}
        self.signed_by: RSAKey | None = None
        self.sign: Any = None
        self.describes = ISSUER

    def rotate(self) -> None:
        self.key = RSAKey.generate_key(2048, {"kid": secrets.token_hex(4)}, auto_kid=False)

    def authorise(self, address: str) -> tuple[str, str]:
        """(code, state) of a person who agrees at the address that the browser is sent to."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        assert address.startswith(f"{ISSUER}/authorize?"), address
        assert (asked["client_id"], asked["redirect_uri"]) == (CLIENT, BACK)
        assert (asked["response_type"], asked["code_challenge_method"]) == ("code", "S256")
        code = secrets.token_urlsafe(8)
        self.codes[code] = asked
        return code, asked["state"]

    def send(self, request: Any, **_: Any) -> requests.Response:
        path = urlsplit(request.url).path
        self.asked.append(path)
        if path == "/.well-known/openid-configuration":
            names = {"authorization_endpoint": "authorize", "token_endpoint": "token"}
            names |= {"jwks_uri": "keys", "end_session_endpoint": "bye"}
            found = {name: f"{ISSUER}/{end}" for name, end in names.items()}
            return self._answer(request, 200, found | {"issuer": self.describes})
        if path == "/keys":
            return self._answer(request, 200, {"keys": [self.key.as_dict(private=False)]})
        assert path == "/token"
        return self._token(request)

    def close(self) -> None:
        pass

    def _token(self, request: Any) -> requests.Response:
        told = {name: values[0] for name, values in parse_qs(request.body).items()}
        basic = "Basic " + base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        asked = self.codes.pop(told["code"], None)
        proof = hashlib.sha256(told.get("code_verifier", "").encode()).digest()
        shown = base64.urlsafe_b64encode(proof).rstrip(b"=").decode()
        if asked is None or asked["code_challenge"] != shown:
            return self._answer(request, 400, {"error": "invalid_grant"})
        if request.headers["Authorization"] != basic:
            return self._answer(request, 401, {"error": "invalid_client"})
        now = int(self.clock().timestamp())
        claims = {
            "iss": ISSUER,
            "aud": CLIENT,
            "sub": "1234",
            "preferred_username": "clerk1",
            "name": "A clerk",
            "nonce": asked["nonce"],
            "iat": now,
            "exp": now + 300,
        } | self.changed
        key = self.signed_by or self.key
        make = self.sign or (lambda c: jwt.encode({"alg": "RS256", "kid": self.key.kid}, c, key))
        answer = {"access_token": "x", "token_type": "Bearer", "id_token": make(claims)}
        return self._answer(request, 200, answer)

    def _answer(self, request: Any, status: int, body: dict[str, Any]) -> requests.Response:
        out = requests.Response()
        out.status_code, out.request, out.url = status, request, request.url
        out.headers["Content-Type"] = "application/json"
        out.raw = io.BytesIO(json.dumps(body).encode())
        return out


def bare(part: dict[str, Any]) -> str:
    """A part of a token."""
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()
