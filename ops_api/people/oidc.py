"""Log-in by the chain's own identity provider: OpenID Connect, authorisation code with PKCE.

What the provider says is believed only where its signature, issuer, audience, time and
nonce are right. Its addresses and keys are read from its discovery document and kept.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
from dataclasses import dataclass
from typing import Any

import requests
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from requests.adapters import BaseAdapter

from ops_api.errors import Busy, CrossSite, NotLoggedIn
from ops_api.settings import Settings

ALGORITHMS = ("RS256", "PS256", "ES256")
"""Signatures by a key that only the provider has; never "none", never a shared secret."""
START_S = 600
"""How long a log-in may take between the two redirects."""
_KEEP_S = 3_600
_ASK_AGAIN_S = 30
_TIMEOUT_S = 10


@dataclass(frozen=True)
class Identity:
    """Who the provider says somebody is."""

    subject: str
    claim: str
    name: str


class Provider:
    """The identity provider of a deployment.

    Parameters
    ----------
    settings : Settings, with an issuer
    adapter : how the provider is reached, where not over the network
    """

    def __init__(self, settings: Settings, adapter: BaseAdapter | None = None) -> None:
        self.settings, self.adapter = settings, adapter
        self._lock = threading.Lock()
        self._found: dict[str, Any] = {}
        self._keys: KeySet | None = None
        self._found_at = self._keys_at = 0

    def begin(self, now: int) -> tuple[str, dict[str, Any]]:
        """(address to send the browser to, what its session must keep meanwhile)."""
        kept = {
            "state": secrets.token_urlsafe(32),
            "nonce": secrets.token_urlsafe(32),
            "verifier": secrets.token_urlsafe(48),
            "at": now,
        }
        address, _ = self._client().create_authorization_url(
            self._discovered(now)["authorization_endpoint"],
            state=kept["state"],
            nonce=kept["nonce"],
            code_challenge=create_s256_code_challenge(kept["verifier"]),
            code_challenge_method="S256",
        )
        return str(address), kept

    def finish(self, kept: Any, state: str, code: str, issuer: str, now: int) -> Identity:
        """Who came back.

        Parameters
        ----------
        kept : what :meth:`begin` left in the browser's session; None where there is nothing
        issuer : the parameter ``iss`` of the answer, empty where the provider sends none

        Raises
        ------
        CrossSite
            The answer belongs to no log-in that this browser began.
        NotLoggedIn
            The provider refused, or what it says is not to be believed.
        """
        ours = str(kept.get("state", "")) if isinstance(kept, dict) else ""
        if not ours or not hmac.compare_digest(ours.encode(), state.encode()):
            raise CrossSite(
                "this browser began no such log-in", field="state", remedy="begin at the log-in"
            )
        if not 0 <= now - int(kept["at"]) <= START_S:
            raise _refused("state", "the log-in took too long")
        if issuer and issuer != self.settings.oidc_issuer:
            raise _refused("iss", "the answer is another provider's")
        token = self._exchange(code, kept["verifier"], now)
        claims = self._verified(token, now)
        self._check(claims, kept["nonce"], now)
        value = claims.get(self.settings.oidc_claim)
        if not isinstance(value, str) or not 0 < len(value) <= 64:
            raise _refused(self.settings.oidc_claim, "the provider names nobody")
        if self.settings.oidc_claim == "email" and claims.get("email_verified") is not True:
            raise _refused("email_verified", "the address was never verified")
        name = claims.get("name")
        shown = name[:200] if isinstance(name, str) and name else value
        return Identity(claims["sub"], value, shown)

    def end_address(self, now: int) -> str | None:
        """Where the provider's own session ends; None where it has no such address."""
        address = self._discovered(now).get("end_session_endpoint")
        if not isinstance(address, str):
            return None
        asked = requests.Request("GET", address, params={"client_id": self.settings.oidc_client_id})
        return asked.prepare().url

    def _client(self) -> OAuth2Session:
        s = self.settings
        client = OAuth2Session(
            s.oidc_client_id,
            s.oidc_client_secret or None,
            scope=s.oidc_scopes,
            redirect_uri=s.oidc_redirect_uri,
            # Without a secret the proof key alone says that the code is ours.
            token_endpoint_auth_method="client_secret_basic" if s.oidc_client_secret else "none",
        )
        if self.adapter is not None:
            client.mount("https://", self.adapter)
        return client

    def _exchange(self, code: str, verifier: str, now: int) -> str:
        address = self._discovered(now)["token_endpoint"]
        try:
            answer = self._client().fetch_token(
                address, code=code, code_verifier=verifier, timeout=_TIMEOUT_S
            )
        except requests.RequestException as error:
            raise _away() from error
        except Exception as error:
            raise _refused("code", "the provider does not take the code") from error
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise _refused("id_token", "the provider sent no identity")
        return token

    def _verified(self, token: str, now: int) -> dict[str, Any]:
        """Claims of a token that the provider signed; its keys are read anew once."""
        for fresh in (False, True):
            try:
                found = jwt.decode(token, self._key_set(now, fresh=fresh), list(ALGORITHMS))
            except (JoseError, ValueError, TypeError) as error:
                if fresh:
                    raise _refused("id_token", "the signature is not the provider's") from error
                continue
            return dict(found.claims)
        raise AssertionError("unreachable")

    def _check(self, claims: dict[str, Any], nonce: str, now: int) -> None:
        s = self.settings
        audience = claims.get("aud")
        audiences = audience if isinstance(audience, list) else [audience]
        told = claims.get("nonce")
        until, since = claims.get("exp"), claims.get("iat")
        if claims.get("iss") != s.oidc_issuer:
            raise _refused("iss", "the token is another provider's")
        party = claims.get("azp") if len(audiences) > 1 else s.oidc_client_id
        if s.oidc_client_id not in audiences or party != s.oidc_client_id:
            raise _refused("aud", "the token is for somebody else")
        if not isinstance(until, int) or not isinstance(since, int):
            raise _refused("exp", "the token says no time")
        if now > until + s.oidc_skew_s or now < since - s.oidc_skew_s:
            raise _refused("exp", "the token is not valid now")
        if not isinstance(told, str) or not hmac.compare_digest(told.encode(), nonce.encode()):
            raise _refused("nonce", "the token belongs to another log-in")
        if not isinstance(claims.get("sub"), str) or not claims["sub"]:
            raise _refused("sub", "the provider names nobody")

    def _discovered(self, now: int) -> dict[str, Any]:
        with self._lock:
            if not self._found or now - self._found_at > _KEEP_S:
                issuer = self.settings.oidc_issuer
                found = self._get(issuer.rstrip("/") + "/.well-known/openid-configuration")
                names = ("authorization_endpoint", "token_endpoint", "jwks_uri")
                wrong = [n for n in names if not str(found.get(n, "")).startswith("https://")]
                if found.get("issuer") != issuer or wrong:
                    raise _refused("issuer", "the provider's description is not its own")
                self._found, self._found_at = found, now
            return self._found

    def _key_set(self, now: int, *, fresh: bool) -> KeySet:
        address = self._discovered(now)["jwks_uri"]
        with self._lock:
            age = now - self._keys_at
            # A token with a made-up key must not have us ask the provider each time.
            if self._keys is None or age > _KEEP_S or (fresh and age >= _ASK_AGAIN_S):
                self._keys = KeySet.import_key_set(self._get(address))  # type: ignore[arg-type]
                self._keys_at = now
            return self._keys

    def _get(self, address: str) -> dict[str, Any]:
        with requests.Session() as session:
            if self.adapter is not None:
                session.mount("https://", self.adapter)
            try:
                answer = session.get(address, timeout=_TIMEOUT_S, allow_redirects=False)
                answer.raise_for_status()
                found = answer.json()
            except (requests.RequestException, ValueError) as error:
                raise _away() from error
        if not isinstance(found, dict):
            raise _away()
        return found


def person_id(issuer: str, subject: str) -> str:
    """Id of a person whom the provider brought: the same one however they are renamed."""
    return "O-" + hashlib.sha256(f"{issuer}\0{subject}".encode()).hexdigest()[:30]


def _refused(field: str, why: str) -> NotLoggedIn:
    return NotLoggedIn(why, field=field, remedy="begin the log-in again, or ask the management")


def _away() -> Busy:
    return Busy("the identity provider does not answer", remedy="log in again in a minute")
