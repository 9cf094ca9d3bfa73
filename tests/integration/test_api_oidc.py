"""Log-in by an identity provider: its word counts where it is its own, meant for us, and now."""

from __future__ import annotations

import base64
import hashlib
import hmac
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey
from sqlalchemy import select

from ops_api.database import writing
from ops_api.ledger.schema import AUDIT
from ops_api.people.oidc import Provider
from ops_api.people.service import deactivate
from ops_api.people.tables import GRANTS, PEOPLE
from policies.domain.errors import InvalidInput
from tests.integration.api_service import make_rig
from tests.integration.identity_provider import (
    BACK,
    CLIENT,
    CONFIG,
    ISSUER,
    SECRET,
    TinyProvider,
    bare,
)
from ui.gate import ServiceGate
from ui.serve import Serving, make_site

BEGIN, FINISH = "/api/v1/session/oidc", urlsplit(BACK).path


@pytest.fixture
def rig(tmp_path):
    return with_provider(tmp_path)


def with_provider(folder, **config):
    made = make_rig(folder, COOKIE_SECURE=False, **CONFIG, **config)
    made.provider = TinyProvider(made.clock)
    settings = made.app.extensions["storetwin"].settings
    made.app.extensions["storetwin_oidc"] = Provider(settings, made.provider)
    return made


def begin(browser, rig, **query):
    """(code, state) after the person agreed at the provider."""
    sent = browser.get(BEGIN, query_string=query)
    assert sent.status_code == 302, sent.json
    return rig.provider.authorise(sent.headers["Location"])


def log_in(rig, browser=None, **query):
    browser = browser or rig.client
    code, state = begin(browser, rig, **query)
    return browser, browser.get(FINISH, query_string={"code": code, "state": state})


def refused(answer, field, code="AUTH", status=401):
    assert (answer.status_code, answer.json["code"]) == (status, code), answer.json
    assert answer.json["field"] == field
    assert all(answer.json[part] for part in ("title", "detail", "remedy"))


def nobody(browser):
    return browser.get("/api/v1/me").status_code == 401


def test_a_person_of_the_service_is_logged_in_with_the_grants_they_have(rig):
    browser, answer = log_in(rig, next="/m/")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/m/")
    me = browser.get("/api/v1/me").json
    assert (me["person"], me["roles"]) == ("clerk1", ["clerk"])
    with rig.engine.connect() as connection:
        verbs = connection.execute(select(AUDIT).where(AUDIT.c.actor == "clerk1")).all()
    assert [row.subject for row in verbs] == ["clerk1"]


@pytest.mark.parametrize("path", ["//evil.example", "https://evil.example", "/\\evil", "/a?b"])
def test_nobody_is_sent_to_another_site_after_the_log_in(rig, path):
    _, answer = log_in(rig, next=path)
    assert answer.headers["Location"] == "/"


WRONG = [
    ("aud", {"aud": "another service"}),
    ("aud", {"aud": [CLIENT, "another"], "azp": "another"}),
    ("aud", {"aud": [CLIENT, "another"]}),
    ("aud", {"aud": None}),
    ("iss", {"iss": "https://login.evil.example"}),
    ("nonce", {"nonce": "of another log-in"}),
    ("nonce", {"nonce": None}),
    ("sub", {"sub": ""}),
    ("exp", {"exp": None}),
    ("exp", {"exp": "tomorrow"}),
    ("preferred_username", {"preferred_username": 7}),
    ("login", {"preferred_username": "stranger"}),
]


@pytest.mark.parametrize(("field", "claims"), WRONG)
def test_a_token_with_a_wrong_claim_opens_nothing(rig, field, claims):
    rig.provider.changed = claims
    browser, answer = log_in(rig)
    refused(answer, field)
    assert nobody(browser)


@pytest.mark.parametrize(("shift", "is_open"), [(-61, False), (-60, True), (59, True)])
def test_a_token_that_has_run_out_counts_within_the_clocks_difference(rig, shift, is_open):
    now = int(rig.clock.now.timestamp())
    rig.provider.changed = {"exp": now + shift}
    browser, _ = log_in(rig)
    assert nobody(browser) is not is_open


@pytest.mark.parametrize(("ahead", "is_open"), [(61, False), (60, True)])
def test_a_token_of_the_future_counts_within_the_clocks_difference(rig, ahead, is_open):
    now = int(rig.clock.now.timestamp())
    rig.provider.changed = {"iat": now + ahead, "exp": now + 900}
    browser, _ = log_in(rig)
    assert nobody(browser) is not is_open


def test_a_signature_by_another_key_is_refused(rig):
    rig.provider.signed_by = RSAKey.generate_key(2048, {"kid": "first"}, auto_kid=False)
    browser, answer = log_in(rig)
    refused(answer, "id_token")
    assert nobody(browser)


def test_a_token_without_signature_is_refused(rig):
    rig.provider.sign = lambda claims: bare({"alg": "none"}) + "." + bare(claims) + "."
    browser, answer = log_in(rig)
    refused(answer, "id_token")
    assert nobody(browser)


def test_a_token_signed_by_the_shared_secret_or_the_public_key_as_one_is_refused(rig):
    for secret in (SECRET.encode(), rig.provider.key.as_pem(private=False)):

        def sign(claims, secret=secret):
            said = f"{bare({'alg': 'HS256', 'kid': 'first'})}.{bare(claims)}"
            digest = hmac.new(secret, said.encode(), hashlib.sha256).digest()
            return f"{said}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"

        rig.provider.sign = sign
        browser, answer = log_in(rig)
        refused(answer, "id_token")
        assert nobody(browser)


def test_claims_changed_after_the_signature_are_refused(rig):
    def forged(claims):
        head, _, tail = jwt.encode({"alg": "RS256"}, claims, rig.provider.key).split(".")
        return f"{head}.{bare(claims | {'preferred_username': 'boss'})}.{tail}"

    rig.provider.sign = forged
    refused(log_in(rig)[1], "id_token")


def test_a_token_of_an_earlier_log_in_is_refused(rig):
    """The nonce ties it to one log-in."""
    old = []
    right = rig.provider
    right.sign = lambda c: old.append(jwt.encode({"alg": "RS256"}, c, right.key)) or old[-1]
    assert log_in(rig)[1].status_code == 302
    right.sign = lambda _claims: old[0]
    browser, answer = log_in(rig)
    refused(answer, "nonce")
    assert nobody(browser)


def test_a_mixed_up_or_missing_state_is_refused(rig):
    mine, theirs = rig.client, rig.client
    code, state = begin(mine, rig)
    other_code, other_state = begin(theirs, rig)
    # Somebody else's answer in my browser would log me in as them.
    for query in (
        {"code": other_code, "state": other_state},
        {"code": code},
        {"code": code, "state": "é"},
    ):
        fresh = rig.client
        begin(fresh, rig)
        refused(fresh.get(FINISH, query_string=query), "state", "CROSS_SITE", 403)
        assert nobody(fresh)
    stranger = rig.client.get(FINISH, query_string={"code": code, "state": state})
    refused(stranger, "state", "CROSS_SITE", 403)
    assert mine.get(FINISH, query_string={"code": code, "state": state}).status_code == 302


def test_an_answer_counts_once(rig):
    browser, answer = log_in(rig)
    assert answer.status_code == 302
    code, state = begin(browser, rig)
    query = {"code": code, "state": state}
    assert browser.get(FINISH, query_string=query).status_code == 302
    refused(browser.get(FINISH, query_string=query), "state", "CROSS_SITE", 403)


def test_another_providers_answer_is_refused_by_its_name(rig):
    browser = rig.client
    code, state = begin(browser, rig)
    query = {"code": code, "state": state, "iss": "https://login.evil.example"}
    refused(browser.get(FINISH, query_string=query), "iss")
    browser = rig.client
    code, state = begin(browser, rig)
    query = {"code": code, "state": state, "iss": ISSUER, "session_state": "whatever"}
    assert browser.get(FINISH, query_string=query).status_code == 302


def test_the_provider_may_refuse_and_a_code_must_be_its_own(rig):
    browser = rig.client
    _, state = begin(browser, rig)
    refused(browser.get(FINISH, query_string={"error": "access_denied"}), "error")
    _, state = begin(browser, rig)
    refused(browser.get(FINISH, query_string={"code": "guess", "state": state}), "code")


def test_a_log_in_that_takes_too_long_is_begun_again(rig):
    browser = rig.client
    code, state = begin(browser, rig)
    rig.clock.forward(seconds=601)
    refused(browser.get(FINISH, query_string={"code": code, "state": state}), "state")


def test_keys_are_kept_and_read_again_when_they_change(rig):
    assert log_in(rig)[1].status_code == 302
    assert log_in(rig)[1].status_code == 302
    assert rig.provider.asked.count("/keys") == 1
    rig.clock.forward(seconds=31)
    rig.provider.rotate()
    assert log_in(rig)[1].status_code == 302
    assert rig.provider.asked.count("/keys") == 2
    # Made-up keys do not have the provider asked each time.
    rig.provider.signed_by = RSAKey.generate_key(2048)
    for _ in range(3):
        refused(log_in(rig)[1], "id_token")
    assert rig.provider.asked.count("/keys") == 2


def test_a_description_that_names_another_issuer_is_not_used(rig):
    rig.provider.describes = "https://login.evil.example"
    refused(rig.client.get(BEGIN), "issuer")


def test_an_unverified_address_is_nobodys_log_in(tmp_path):
    rig = with_provider(tmp_path, OIDC_CLAIM="email")
    rig.provider.changed = {"email": "clerk1"}
    refused(log_in(rig)[1], "email_verified")
    rig.provider.changed = {"email": "clerk1", "email_verified": True}
    assert log_in(rig)[1].status_code == 302


def test_an_unknown_person_is_added_without_rights_only_where_that_is_wanted(tmp_path):
    rig = with_provider(tmp_path, OIDC_PROVISION=True)
    rig.provider.changed = {"preferred_username": "stranger", "sub": "77", "name": "New here"}
    browser, answer = log_in(rig)
    assert answer.headers["Location"] == "/refused"
    me = browser.get("/api/v1/me").json
    assert (me["name"], me["roles"], me["grants"]) == ("New here", [], [])
    assert browser.get("/api/v1/movements").json["code"] == "ROLE_DENIED"
    log_in(rig)
    with rig.engine.connect() as connection:
        rows = connection.execute(select(PEOPLE).where(PEOPLE.c.login == "stranger")).all()
        grants = connection.execute(select(GRANTS).where(GRANTS.c.person == me["person"])).all()
    assert (len(rows), grants) == (1, [])
    for guess in ("none", "x" * 10):
        by_password = rig.client.post(
            "/api/v1/session", json={"login": "stranger", "password": guess}
        )
        assert by_password.json["code"] == "AUTH"
    # The provider gave the name to somebody else: the account does not go with it.
    rig.provider.changed |= {"sub": "78"}
    refused(log_in(rig)[1], "login")


def test_who_is_deactivated_here_stays_out(rig):
    with writing(rig.engine) as connection:
        deactivate(connection, "clerk1", at=1, actor="boss")
    browser, answer = log_in(rig)
    refused(answer, "login")
    assert nobody(browser)


def test_signing_out_ends_the_session_here_and_at_the_provider(rig):
    browser, _ = log_in(rig)
    answer = browser.get(f"{BEGIN}:end")
    there = urlsplit(answer.headers["Location"])
    assert (there.netloc, there.path) == ("login.example", "/bye")
    assert parse_qs(there.query) == {"client_id": [CLIENT]}
    assert nobody(browser)


def test_without_a_provider_there_is_no_such_log_in(tmp_path):
    rig = make_rig(tmp_path)
    for path in (BEGIN, FINISH, f"{BEGIN}:end"):
        answer = rig.client.get(path)
        assert (answer.status_code, answer.json["code"]) == (404, "NOT_FOUND")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OIDC_ISSUER", "http://login.example"),
        ("OIDC_REDIRECT_URI", ""),
        ("OIDC_CLIENT_ID", ""),
        ("OIDC_SCOPES", "profile"),
        ("OIDC_SKEW_S", 3_600),
    ],
)
def test_a_provider_that_is_set_up_in_part_stops_the_start(tmp_path, name, value):
    with pytest.raises(InvalidInput) as caught:
        make_rig(tmp_path, **(CONFIG | {name: value}))
    assert caught.value.field.startswith("OIDC_")


@pytest.mark.parametrize(("tongue", "word"), [("en", "company account"), ("zh", "公司账号")])
def test_the_log_in_page_offers_it_only_where_it_is_set_up(tmp_path, rig, tongue, word):
    (tmp_path / "plain").mkdir()
    for each, is_offered in ((rig, True), (make_rig(tmp_path / "plain"), False)):
        site = make_site(each.app, ServiceGate(each.app), Serving())
        page = site.test_client().get("/login?next=/m/", headers={"Accept-Language": tongue})
        assert (word in page.get_data(as_text=True)) is is_offered
        assert (f'href="{BEGIN}?next=/m/"' in page.get_data(as_text=True)) is is_offered


def test_logging_out_of_the_pages_goes_on_to_the_provider(rig):
    site = make_site(rig.app, ServiceGate(rig.app), Serving()).test_client()
    with site.session_transaction() as kept:
        kept.update({"person": "clerk1", "epoch": 1, "by": "oidc"})
    assert site.get("/logout").headers["Location"] == f"{BEGIN}:end"
    with site.session_transaction() as kept:
        del kept["by"]
    assert site.get("/logout").headers["Location"] == "/login"
