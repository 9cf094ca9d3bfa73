"""Routes of the log-in, the home page and the switches; no data is read here."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from flask import Blueprint, Response, abort, redirect, render_template, request, session
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from ui.access import LANGUAGE_COOKIE, MAY_OPEN, THEME_COOKIE, Person
from ui.fonts import latin_inter
from ui.i18n import LANGUAGES, Words, words
from ui.theme import FONT_FACE, THEMES, css_variables, tokens

PATHS: dict[str, str] = {"twin": "/twin", "whatif": "/whatif", "phone": "/m/", "manage": "/manage/"}
"""Where each page stands; dashboards stay one path level deep."""
SIGN_ON = "/api/v1/session/oidc"
"""Where the log-in by the identity provider begins."""
_YEAR_S = 365 * 24 * 3600


@dataclass(frozen=True)
class DemoUser:
    """A user that a demo lists on its log-in page."""

    name: str
    password: str
    role: str
    place: str = ""


Moment = Callable[[], dt.datetime | None]


def no_demo() -> dt.datetime | None:
    """The demo clock of a deployment that is none."""
    return None


def demo_words(say: Words, moment: dt.datetime | None) -> str:
    """The demo's time as every header shows it; "" outside of a demo."""
    return "" if moment is None else say("shell.demo_time", moment=f"{moment:%Y-%m-%d %H:%M}")


class Gate(Protocol):
    """Log-in and sessions, as the service keeps them."""

    def log_in(self, name: str, password: str) -> Person | None:
        """Open a session for the right password, inside a request; None for a wrong one."""
        ...

    def log_out(self) -> None:
        """End the session of the running request."""
        ...

    def person(self, cookies: Mapping[str, str]) -> Person | None:
        """Whose session these cookies carry; callable outside of a request."""
        ...


def chosen_words(cookies: Mapping[str, str], accepted: str | None = None) -> Words:
    """The language of the visit: the switch, else the browser's, else Chinese."""
    kept = cookies.get(LANGUAGE_COOKIE)
    if kept in LANGUAGES:
        return words(kept)
    return words("en" if accepted and accepted.lower().startswith("en") else "zh")


def safe_next(target: str | None) -> str:
    """A path of this server; anything that could lead elsewhere becomes the home page."""
    if not target or not target.startswith("/") or target.startswith(("//", "/\\")):
        return "/"
    parts = urlsplit(target)
    return "/" if parts.scheme or parts.netloc or "\\" in target else target


def make_blueprint(
    gate: Gate,
    demo_users: Sequence[DemoUser] = (),
    cache: Path | None = None,
    demo_clock: Moment = no_demo,
    served: Collection[str] = tuple(PATHS),
    *,
    single_sign_on: bool = False,
) -> Blueprint:
    """The blueprint of the server-rendered pages.

    Parameters
    ----------
    gate : Gate
    demo_users : listed on the log-in page; empty outside of a demo
    cache : Path, optional, folder that keeps the cut font
    demo_clock : callable, the demo's local time for every header; None outside of a demo
    served : names of the pages that this server has
    single_sign_on : offer the log-in by the chain's identity provider
    """
    site = Blueprint("web", __name__, template_folder="templates")

    def page(template: str, status: int = 200, **values: Any) -> Response:
        say = chosen_words(request.cookies, request.accept_languages.best)
        colours = tokens(request.cookies.get(THEME_COOKIE, "light"))
        body = render_template(
            template,
            say=say,
            theme=colours.name,
            other_theme="light" if colours.name == "dark" else "dark",
            variables=FONT_FACE + css_variables(colours),
            person=gate.person(request.cookies),
            here=request.path,
            demo_time=demo_words(say, demo_clock()),
            single_sign_on=single_sign_on,
            **values,
        )
        answer = Response(body, status=status, mimetype="text/html")
        answer.headers["Content-Language"] = say.html_lang
        answer.headers["Cache-Control"] = "no-store"
        return answer

    @site.get("/")
    def home() -> AnyResponse:
        """200 the pages of the person's role; 302 to the log-in."""
        person = gate.person(request.cookies)
        if person is None:
            return redirect("/login")
        mine = [
            (name, PATHS[name]) for name in MAY_OPEN if name in served and person.may_open(name)
        ]
        return page("web/home.html", pages=mine)

    @site.route("/login", methods=["GET", "POST"])
    def login() -> AnyResponse:
        """200 the form; 302 after the right password; 401 after a wrong one."""
        target = safe_next(request.values.get("next"))
        if request.method == "GET":
            return page("web/login.html", demo_users=demo_users, next=target, wrong=False)
        person = gate.log_in(request.form.get("name", ""), request.form.get("password", ""))
        if person is None:
            return page("web/login.html", 401, demo_users=demo_users, next=target, wrong=True)
        return redirect(target)

    @site.get("/logout")
    def logout() -> AnyResponse:
        """302 to the log-in, session ended; to the provider's end where it opened it."""
        if single_sign_on and session.get("by") == "oidc":
            return redirect(f"{SIGN_ON}:end")
        gate.log_out()
        return redirect("/login")

    @site.get("/prefs")
    def prefs() -> AnyResponse:
        """302 back, language or theme kept in a cookie."""
        answer = redirect(safe_next(request.args.get("next")))
        for cookie, key, allowed in (
            (LANGUAGE_COOKIE, "lang", LANGUAGES),
            (THEME_COOKIE, "theme", tuple(THEMES)),
        ):
            value = request.args.get(key)
            if value in allowed:
                answer.set_cookie(cookie, value, max_age=_YEAR_S, samesite="Lax")
        return answer

    @site.get("/refused")
    def not_for_you() -> AnyResponse:
        """403 the page that a role without right gets."""
        return page("web/refused.html", 403, key="title")

    @site.get("/assets/inter.woff2")
    def inter() -> Response:
        """200 the font; 404 where it is not installed."""
        font = latin_inter(cache / "inter.woff2" if cache else None)
        if font is None:
            abort(404)
        answer = Response(font, mimetype="font/woff2")
        answer.headers["Cache-Control"] = f"public, max-age={_YEAR_S}"
        return answer

    @site.app_errorhandler(HTTPException)
    def refused(error: HTTPException) -> AnyResponse:
        """The service's own problem+json stays; a person gets a page in our look."""
        if request.path.startswith("/api/") or error.code is None or error.code < 400:
            return error.get_response()
        key = {403: "title", 404: "not_found", 429: "too_many"}.get(error.code, "failed")
        return page("web/refused.html", error.code, key=key)

    return site
