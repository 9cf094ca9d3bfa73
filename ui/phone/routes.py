"""Routes of the phone app; all under ``/m/``, which is the service worker's reach."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from flask import Blueprint, Response, abort, jsonify, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from ui.access import THEME_COOKIE, Person
from ui.i18n import LANGUAGES, words
from ui.theme import tokens
from ui.web.pages import Gate, Moment, chosen_words, no_demo

_FOLDER = Path(__file__).parent / "static"
_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


def make_blueprint(
    gate: Gate, *, emulated: bool = False, demo_clock: Moment = no_demo
) -> Blueprint:
    """The blueprint of the phone app.

    Parameters
    ----------
    gate : Gate
    emulated : bool, labels the app where reality is played by a program
    demo_clock : callable, the demo's local time; None outside of a demo
    """
    site = Blueprint("phone", __name__, url_prefix="/m", template_folder="templates")

    def clerk() -> Person:
        person = gate.person(request.cookies)
        if person is None:
            abort(401)
        if not person.may_open("phone"):
            abort(403)
        return person

    @site.get("/")
    def shell() -> AnyResponse:
        """200 the app; 302 to the log-in; 403 for a role without the phone."""
        if gate.person(request.cookies) is None:
            return redirect("/login?next=/m/")
        clerk()
        say = chosen_words(request.cookies, request.accept_languages.best)
        theme = tokens(request.cookies.get(THEME_COOKIE, "light")).name
        body = render_template("phone/shell.html", say=say, theme=theme, emulated=emulated)
        return Response(body, mimetype="text/html", headers={"Cache-Control": "no-store"})

    @site.get("/me.json")
    def me() -> Response:
        """200 who is logged in; 401; 403."""
        person = clerk()
        moment = demo_clock()
        shown = None if moment is None else moment.isoformat(timespec="seconds")
        answer = jsonify({**person.as_session(), "demo_now": shown})
        answer.headers["Cache-Control"] = "no-store"
        return answer

    @site.get("/words.json")
    def catalogue() -> Response:
        """200 the phone's texts in every language."""
        return jsonify({name: words(name).starting("phone.") for name in LANGUAGES})

    @site.get("/app/<name>")
    def asset(name: str) -> Response:
        """200 a file of the app; 404."""
        if name not in assets() or name == "sw.js":
            abort(404)
        body = assets()[name]
        answer = Response(body, mimetype=_TYPES[Path(name).suffix])
        answer.set_etag(hashlib.sha256(body).hexdigest())
        answer.headers["Cache-Control"] = "no-cache"
        answer.make_conditional(request)
        return answer

    @site.get("/sw.js")
    def worker() -> Response:
        """200 the service worker, its version made of all files it keeps."""
        text = assets()["sw.js"].decode().replace("{{ version }}", version())
        text = text.replace("{{ files }}", str(kept_files()))
        headers = {"Cache-Control": "no-cache", "Service-Worker-Allowed": "/m/"}
        return Response(text, mimetype="text/javascript", headers=headers)

    @site.get("/manifest.webmanifest")
    def manifest() -> Response:
        """200 what makes the app installable."""
        icon = {"src": "/m/app/icon.svg", "sizes": "any", "type": "image/svg+xml"}
        answer = jsonify(
            name="storetwin",
            short_name="storetwin",
            start_url="/m/",
            scope="/m/",
            display="standalone",
            background_color="#f4f6f8",
            theme_color="#12384f",
            icons=[icon],
        )
        answer.mimetype = "application/manifest+json"
        return answer

    return site


@cache
def assets() -> dict[str, bytes]:
    """Every file of the app by name."""
    return {path.name: path.read_bytes() for path in sorted(_FOLDER.iterdir()) if path.is_file()}


def kept_files() -> list[str]:
    """Addresses that the service worker keeps for an offline reload."""
    names = [f"/m/app/{name}" for name in assets() if name != "sw.js"]
    return ["/m/", "/m/words.json", "/m/manifest.webmanifest", *names]


@cache
def version() -> str:
    """Changes with any byte of the app."""
    sha = hashlib.sha256()
    for name, body in assets().items():
        sha.update(name.encode() + b"\0" + body)
    for language in LANGUAGES:
        sha.update(repr(words(language).starting("phone.")).encode())
    return sha.hexdigest()[:16]
