"""Labels in ZPL II: words, a GS1-128 or a GS1 DataMatrix, for printers of 8 dots a millimetre."""

from __future__ import annotations

from dataclasses import dataclass

from policies.domain.errors import InvalidInput

Elements = tuple[tuple[str, str], ...]
"""Application identifier and value, those of variable length last."""
_FIXED = frozenset({"00", "01", "02", "11", "13", "15", "17", "410", "414"})
# The characters that an AI of letters may hold (GS1 General Specifications, table 82).
_ALLOWED = frozenset(
    "!\"%&'()*+,-./0123456789:;<=>?ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"
)


@dataclass(frozen=True)
class Label:
    """What stands on a label.

    Attributes
    ----------
    title, lines : words, the title largest
    elements : of the symbol; () prints none
    is_matrix : a DataMatrix for what is small, else a GS1-128 over the whole width
    """

    title: str
    lines: tuple[str, ...]
    elements: Elements
    is_matrix: bool = False


def bracketed(elements: Elements) -> str:
    """The elements as people read them."""
    return "".join(f"({ai}){value}" for ai, value in elements)


def zpl(label: Label, copies: int = 1) -> str:
    """The label as a program of the printer, in UTF-8.

    Raises
    ------
    InvalidInput
        A value can't stand in a symbol of GS1.
    """
    for ai, value in label.elements:
        if not value or not set(value) <= _ALLOWED:
            raise InvalidInput(
                f"{value[:40]!r} can't stand in a barcode as ({ai})",
                field="lot" if ai == "10" else "code",
                remedy="letters, digits and common signs only",
            )
    out = ["^XA", "^CI28", "^PW800", "^LL400", f"^PQ{copies}"]
    out.append(f"^FO40,30^A0N,44,44^FB500,2,0,L^FH\\^FD{_safe(label.title)}^FS")
    out += [
        f"^FO40,{130 + 36 * i}^A0N,30,30^FH\\^FD{_safe(line)}^FS"
        for i, line in enumerate(label.lines)
    ]
    if label.elements and label.is_matrix:
        out.append(f"^FO570,40^BXN,7,200,,,,_,1^FH\\^FD{_matrix(label.elements)}^FS")
        shown = bracketed(label.elements)
        out.append(f"^FO40,340^A0N,24,24^FH\\^FD{_safe(shown)}^FS")
    elif label.elements:
        # Mode D: the printer adds the leading FNC1 and prints the brackets beside the bars.
        out.append(f"^FO40,240^BY2^BCN,100,Y,N,N,D^FH\\^FD{_bars(label.elements)}^FS")
    return "\n".join([*out, "^XZ", ""])


def _bars(elements: Elements) -> str:
    """Bracketed elements, `>8` (FNC1) behind a value that has no fixed length and is not last."""
    out = []
    for i, (ai, value) in enumerate(elements):
        ends = ">8" if ai not in _FIXED and i < len(elements) - 1 else ""
        out.append(f"({ai}){_safe(value).replace('>', '>0')}{ends}")
    return "".join(out)


def _matrix(elements: Elements) -> str:
    """Elements behind FNC1 (`_1`), which also ends a value of variable length."""
    out = ["_1"]
    for i, (ai, value) in enumerate(elements):
        out.append(ai + _safe(value.replace("_", "__")))
        if ai not in _FIXED and i < len(elements) - 1:
            out.append("_1")
    return "".join(out)


def _safe(text: str) -> str:
    """Words in which the printer finds no command."""
    hexed = {"\\": "\\5C", "^": "\\5E", "~": "\\7E"}
    return "".join(hexed.get(sign, sign) for sign in text if sign >= " ")
