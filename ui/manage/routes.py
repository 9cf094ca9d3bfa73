"""Routes of the manager's and keeper's page."""

from __future__ import annotations

import uuid
from typing import Any
from urllib.parse import quote

from flask import Blueprint, Response, abort, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from ui.access import THEME_COOKIE, Person
from ui.manage.cards import HORIZON_DAYS, REFUSALS, Desk, Said, cards
from ui.theme import FONT_FACE, css_variables, tokens
from ui.web.pages import Gate, Moment, chosen_words, demo_words, no_demo

_ACTS = frozenset({"approve", "accept", "edit", "refuse", "count"})


def make_blueprint(gate: Gate, desk: Desk, demo_clock: Moment = no_demo) -> Blueprint:
    """The blueprint of ``/manage/``.

    Parameters
    ----------
    gate : Gate
    desk : Desk, the service with the person's own rights
    demo_clock : callable, the demo's local time; None outside of a demo
    """
    site = Blueprint("manage", __name__, url_prefix="/manage", template_folder="templates")

    def leader() -> Person:
        person = gate.person(request.cookies)
        if person is None:
            abort(401)
        if not person.may_open("manage"):
            abort(403)
        return person

    def page(person: Person, status: int = 200, problem: dict[str, Any] | None = None) -> Response:
        say = chosen_words(request.cookies, request.accept_languages.best)
        colours = tokens(request.cookies.get(THEME_COOKIE, "light"))
        body = render_template(
            "manage/desk.html",
            say=say,
            theme=colours.name,
            other_theme="light" if colours.name == "dark" else "dark",
            variables=FONT_FACE + css_variables(colours),
            person=person,
            here="/manage/",
            demo_time=demo_words(say, demo_clock()),
            cards=cards(desk, request.headers.get("Cookie", ""), person.locations),
            now=desk.now(),
            horizon=HORIZON_DAYS,
            refusals=REFUSALS,
            # Made with the form: sent twice, it is one operation of the service.
            new_key=lambda: str(uuid.uuid4()),
            problem=problem,
            done=request.args.get("done") if request.args.get("done") in _ACTS else None,
        )
        answer = Response(body, status=status, mimetype="text/html")
        answer.headers["Content-Language"] = say.html_lang
        answer.headers["Cache-Control"] = "no-store"
        return answer

    @site.get("/")
    def today() -> AnyResponse:
        """200 today's cards; 302 to the log-in; 403 for a role without them."""
        if gate.person(request.cookies) is None:
            return redirect("/login?next=/manage/")
        return page(leader())

    @site.post("/act")
    def act() -> AnyResponse:
        """303 back when it is done; the service's refusal in words otherwise; 400; 403."""
        person = leader()
        origin = request.headers.get("Origin")
        if origin is not None and origin != request.host_url.rstrip("/"):
            abort(403)
        said = _do(desk, request.headers.get("Cookie", ""))
        if said.status < 300:
            return redirect(f"/manage/?done={request.form['act']}", 303)
        return page(person, said.status, said.body)

    return site


def _do(desk: Desk, cookies: str) -> Said:
    """Hand a form to the service."""
    form = request.form
    name, act, key = (form.get(field, "") for field in ("id", "act", "key"))
    if not name or len(name) > 64 or act not in _ACTS:
        abort(400)
    path = f"/proposals/{quote(name, safe='')}"
    body: dict[str, Any] = {}
    if act == "approve":
        path = f"/transfers/{quote(name, safe='')}:approve"
    elif act == "count":
        path, body = f"/counts/{quote(name, safe='')}:approve", {"sku": form.get("sku", "")}
    elif act == "edit":
        path += ":edit"
        body = {"quantities": _quantities()}
    elif act == "refuse":
        path += ":refuse"
        body = {"reason": form.get("reason", "")}
    else:
        path += ":accept"
    return desk.ask("POST", path, cookies, {"key": key, "body": body})


def _quantities() -> dict[str, int]:
    """Units by SKU; a field that holds no number ends in a refusal of the page."""
    out = {}
    for field, value in request.form.items():
        if field.startswith("units:"):
            if not (value.isascii() and value.isdigit() and len(value) <= 8):
                abort(400)
            out[field.removeprefix("units:")] = int(value)
    return out
