"""Settings of the service, checked once at start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from ops_api.clock import Clock, system_clock
from ops_api.ledger.write import StockListener
from policies.domain.errors import InvalidInput


@dataclass(frozen=True)
class Settings:
    """What a deployment decides. Keys of the mapping are these names in upper case.

    Attributes
    ----------
    database_url : SQLAlchemy address
    secret_key : signs session cookies; at least 16 characters, never in the repository
    clock : callable that gives the aware time
    cookie_secure : False only where the service is served over plain HTTP on one machine
    check_answers : validate every answer against its schema (tests)
    trusted_proxies : reverse proxies in front whose forwarded address, scheme and host are
        believed; 0 where clients come directly
    max_body_bytes, max_batch_lines, max_file_bytes : limits of one request
    log_in_limit : tries per minute and address, in the words of flask-limiter
    write_off_limit_cents, auto_approve_cents : what needs no second person
    silent_counts : most counts of silent shelves a store is asked for with a new forecast
    write_off_photo_cents : value from which a write-off needs a picture
    company_prefix : GS1 prefix of the chain, 7 to 10 digits; SSCC of cartons begin with it
    weighed_codes : forms of the chain's own codes of 13 digits on weighed goods: digits as
        they are, I item, W grams, P price in cents, C check digit
    webhooks_over_http : allow receivers without encryption (tests, one machine)
    cut_off_s : seconds after midnight until which a night still belongs to the day before
    future_tolerance_s, past_tolerance_s : accepted age of a device's event
    undo_s : how long a person may take back what they did
    oidc_issuer : address of the chain's identity provider; empty: log-in by password alone
    oidc_client_id, oidc_client_secret : the service at the provider; the secret may be empty,
        the proof key is always sent
    oidc_redirect_uri : our own ``…/api/v1/session/oidc:finish`` as the provider knows it
    oidc_scopes, oidc_claim : what is asked for, and which claim is a person's log-in
    oidc_provision : add a person whom nobody knows, without any right
    oidc_skew_s : how far the provider's clock may differ
    stock_listeners : called inside each transaction that moved stock, or held or freed a lot
    """

    database_url: str = "sqlite:///var/service.db"
    secret_key: str = ""
    clock: Clock = system_clock
    testing: bool = False
    cookie_secure: bool = True
    check_answers: bool = False
    trusted_proxies: int = 0
    max_body_bytes: int = 2_000_000
    max_batch_lines: int = 1_000
    max_file_bytes: int = 20_000_000
    log_in_limit: str = "10 per minute"
    write_off_limit_cents: int = 5_000
    auto_approve_cents: int = 0
    silent_counts: int = 5
    write_off_photo_cents: int = 20_000
    cut_off_s: int = 0
    company_prefix: str = "0000000"
    webhooks_over_http: bool = False
    weighed_codes: tuple[str, ...] = ("21IIIIIWWWWWC", "22IIIIIPPPPPC")
    future_tolerance_s: int = 300
    past_tolerance_s: int = 7 * 86_400
    undo_s: int = 600
    oidc_issuer: str = ""
    oidc_client_id: str = ""
    oidc_client_secret: str = ""
    oidc_redirect_uri: str = ""
    oidc_scopes: str = "openid profile email"
    oidc_claim: str = "preferred_username"
    oidc_provision: bool = False
    oidc_skew_s: int = 60
    stock_listeners: tuple[StockListener, ...] = ()

    def __post_init__(self) -> None:
        if len(self.secret_key) < 16:
            raise InvalidInput(
                "the secret key is missing or short",
                field="SECRET_KEY",
                remedy="give at least 16 random characters, from a file outside the repository",
            )

        for form in self.weighed_codes:
            if len(form) != 13 or not form.startswith("2") or form[-1] != "C" or "I" not in form:
                raise InvalidInput(
                    f"{form[:20]!r} is no form of weighed goods",
                    field="WEIGHED_CODES",
                    remedy="13 characters like 21IIIIIWWWWWC",
                )
        if not 0 <= self.trusted_proxies <= 5:
            raise InvalidInput(
                f"{self.trusted_proxies} proxies in front",
                field="TRUSTED_PROXIES",
                remedy="0 to 5: only those that you run yourself",
            )
        self._check_provider()
        prefix = self.company_prefix
        if not (prefix.isascii() and prefix.isdigit() and 7 <= len(prefix) <= 10):
            raise InvalidInput(
                f"{prefix[:20]!r} is no GS1 company prefix",
                field="COMPANY_PREFIX",
                remedy="give its 7 to 10 digits",
            )

    def _check_provider(self) -> None:
        if not self.oidc_issuer:
            return
        for name in ("oidc_issuer", "oidc_redirect_uri"):
            if not getattr(self, name).startswith("https://"):
                raise InvalidInput(
                    "log-in goes over https alone",
                    field=name.upper(),
                    remedy="give an address that begins with https://",
                )
        if not self.oidc_client_id or "openid" not in self.oidc_scopes.split():
            raise InvalidInput(
                "the identity provider is set up in part",
                field="OIDC_CLIENT_ID",
                remedy="give OIDC_CLIENT_ID, and OIDC_SCOPES with openid among them",
            )
        if not 0 <= self.oidc_skew_s <= 300:
            raise InvalidInput(f"{self.oidc_skew_s} s", field="OIDC_SKEW_S", remedy="0 to 300")

    @classmethod
    def read(cls, config: Mapping[str, Any] | Settings | None) -> Settings:
        """Settings of a mapping; unknown keys in upper case are refused."""
        if isinstance(config, Settings):
            return config
        known = {item.name.upper(): item.name for item in fields(cls)}
        values: dict[str, Any] = {}
        for key, value in (config or {}).items():
            if key not in known:
                raise InvalidInput(
                    f"no setting {key!r}", field=key, remedy=f"one of {', '.join(sorted(known))}"
                )
            values[known[key]] = value
        if "stock_listeners" in values:
            values["stock_listeners"] = tuple(values["stock_listeners"])
        return cls(**values)
