"""GS1 elements of a code: with FNC1, bracketed, or in a Digital Link."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, unquote, urlsplit

import biip
from biip.gs1_element_strings import GS1ElementStrings
from biip.gs1_messages import GS1Message

from policies.domain.errors import BadBarcode

_FNC1 = "\x1d"
_BRACKETED = re.compile(r"\((\d{2,4})\)([^(]+)")
# Digital Link: primary key and, behind it, qualifiers in the path; all else is in the query.
_PRIMARY = ("00", "01", "414")
_QUALIFIERS = ("22", "10", "21", "254")


def read_elements(text: str) -> GS1ElementStrings | None:
    """The elements of a code, or None when it holds none.

    Raises
    ------
    BadBarcode
        A bracketed string or link whose values do not have the form of their AI.
    """
    if text.lower().startswith(("http://", "https://")):
        return _parsed(_link(text))
    if text.startswith("("):
        pairs = _BRACKETED.findall(text)
        if "".join(f"({ai}){value}" for ai, value in pairs) != text:
            raise BadBarcode(f"{text[:40]!r} has an AI without a value", field="code")
        return _parsed(pairs)
    text = text.strip()
    if text.startswith("]") and len(text) <= 3:
        # A symbology identifier with nothing behind it, on which the library fails.
        return None
    try:
        message = biip.parse(text).gs1_message
    except biip.ParseError:
        return None
    return message.element_strings if message else None


def _parsed(pairs: list[tuple[str, str]]) -> GS1ElementStrings | None:
    """Each value must fill its AI exactly: a lot never swallows the date behind it."""
    if not pairs:
        return None
    try:
        message = GS1Message.parse(_FNC1.join(ai + value for ai, value in pairs))
    except biip.ParseError as error:
        raise BadBarcode(str(error)[:200], field="code") from None
    read = [(element.ai.ai, element.value) for element in message.element_strings]
    if read != pairs:
        raise BadBarcode("a value does not have the form of its AI", field="code")
    return message.element_strings


def _link(text: str) -> list[tuple[str, str]]:
    """AI and value of a Digital Link; `?linkType=` and the like are no elements."""
    try:
        address = urlsplit(text)
    except ValueError:
        return []
    parts = [unquote(part) for part in address.path.split("/") if part]
    # The key may stand behind any folders of the host, so the first that fits begins the code.
    start = next(
        (i for i, part in enumerate(parts[:-1]) if part in _PRIMARY and parts[i + 1].isdigit()),
        None,
    )
    if start is None:
        return []
    if (len(parts) - start) % 2:
        raise BadBarcode(f"{text[:40]!r} has an AI without a value", field="code")
    pairs = list(zip(parts[start::2], parts[start + 1 :: 2], strict=True))
    if any(ai not in _QUALIFIERS for ai, _ in pairs[1:]):
        raise BadBarcode("the path of the link holds an AI that is no qualifier", field="code")
    pairs += [(ai, value) for ai, value in parse_qsl(address.query) if ai.isdigit()]
    return [(ai, value.zfill(14) if ai == "01" else value) for ai, value in pairs]
