"""GS1 identification keys: check digits, GTIN-14 form, GLN, SSCC and the SGTIN-96 tag.

Source: GS1 General Specifications (check digit, section 7.9) and GS1 EPC Tag Data
Standard (SGTIN-96). Reading of whole element strings belongs to the service.
"""

from __future__ import annotations

from dataclasses import dataclass

from policies.domain.errors import BadBarcode, WrongCheckDigit

_GTIN_LENGTHS = (8, 12, 13, 14)
# SGTIN-96 partition -> (bits of company prefix, its digits, bits of item reference, its digits)
_PARTITIONS = {
    0: (40, 12, 4, 1),
    1: (37, 11, 7, 2),
    2: (34, 10, 10, 3),
    3: (30, 9, 14, 4),
    4: (27, 8, 17, 5),
    5: (24, 7, 20, 6),
    6: (20, 6, 24, 7),
}
_SGTIN_HEADER = 0x30


def check_digit(body: str) -> str:
    """GS1 modulo-10 check digit of a key without its last digit."""
    if not (body.isascii() and body.isdigit()):
        raise BadBarcode(f"{body!r} has a character that is no digit", field="code")
    total = sum(int(d) * (3 if i % 2 == 0 else 1) for i, d in enumerate(reversed(body)))
    return str(-total % 10)


def _checked(code: str, kind: str) -> str:
    expected = check_digit(code[:-1])
    if code[-1] != expected:
        raise WrongCheckDigit(
            f"{kind} {code} ends in {code[-1]}, its check digit is {expected}",
            field=kind.lower(),
            remedy="scan again, or type the digits as printed",
        )
    return code


def gtin14(code: str) -> str:
    """The GTIN-14 form of a GTIN-8, -12, -13 or -14, check digit verified.

    Raises
    ------
    BadBarcode, WrongCheckDigit
    """
    digits = code.strip()
    if len(digits) not in _GTIN_LENGTHS or not (digits.isascii() and digits.isdigit()):
        raise BadBarcode(
            f"{code[:40]!r} is no GTIN", field="gtin", remedy="give 8, 12, 13 or 14 digits"
        )
    return _checked(digits, "GTIN").zfill(14)


def gln(code: str) -> str:
    """A verified 13-digit GLN."""
    if len(code) != 13:
        raise BadBarcode(f"{code[:40]!r} is no GLN", field="gln", remedy="give 13 digits")
    return _checked(code, "GLN")


def sscc(code: str) -> str:
    """A verified 18-digit SSCC."""
    if len(code) != 18:
        raise BadBarcode(f"{code[:40]!r} is no SSCC", field="sscc", remedy="give 18 digits")
    return _checked(code, "SSCC")


def make_gtin14(prefix: str, reference: int) -> str:
    """A GTIN-14 from a company prefix and an item number (for generated data)."""
    body = prefix + str(reference).zfill(12 - len(prefix))
    if len(body) != 12:
        raise BadBarcode(f"item {reference} does not fit behind prefix {prefix}", field="gtin")
    return ("0" + body + check_digit("0" + body)).zfill(14)


def make_sscc(extension: int, prefix: str, reference: int) -> str:
    """An SSCC from extension digit, company prefix and serial reference."""
    body = str(extension) + prefix + str(reference).zfill(16 - len(prefix))
    if len(body) != 17:
        raise BadBarcode(f"serial {reference} does not fit behind {prefix}", field="sscc")
    return body + check_digit(body)


@dataclass(frozen=True)
class Sgtin:
    """A serialised item: GTIN-14, serial number and the tag's filter value."""

    gtin: str
    serial: int
    filter: int = 1


def decode_sgtin96(epc_hex: str) -> Sgtin:
    """The item behind a 96-bit SGTIN tag given as 24 hexadecimal digits."""
    try:
        value = int(epc_hex, 16)
    except ValueError:
        raise BadBarcode(f"{epc_hex[:40]!r} is not hexadecimal", field="epc") from None
    if len(epc_hex) != 24 or value >> 88 != _SGTIN_HEADER:
        raise BadBarcode(f"{epc_hex[:40]!r} is no SGTIN-96", field="epc")
    partition = (value >> 82) & 0x7
    if partition not in _PARTITIONS:
        raise BadBarcode(f"partition {partition} is not defined", field="epc")
    company_bits, company_digits, item_bits, item_digits = _PARTITIONS[partition]
    company = (value >> (38 + item_bits)) & ((1 << company_bits) - 1)
    item = (value >> 38) & ((1 << item_bits) - 1)
    company_text = str(company).zfill(company_digits)
    item_text = str(item).zfill(item_digits)
    if len(company_text) > company_digits or len(item_text) > item_digits:
        raise BadBarcode(f"{epc_hex} holds a number too large for its partition", field="epc")
    body = item_text[0] + company_text + item_text[1:]
    return Sgtin(body + check_digit(body), value & ((1 << 38) - 1), (value >> 85) & 0x7)


def encode_sgtin96(item: Sgtin, company_digits: int) -> str:
    """The 24 hexadecimal digits of a tag; `company_digits` is the prefix's length (6–12)."""
    code = gtin14(item.gtin)
    for partition, (_, digits, item_bits, _item_digits) in _PARTITIONS.items():
        if digits == company_digits:
            company = int(code[1 : 1 + digits])
            reference = int(code[0] + code[1 + digits : 13])
            value = (_SGTIN_HEADER << 88) | (item.filter << 85) | (partition << 82)
            value |= (company << (38 + item_bits)) | (reference << 38) | item.serial
            return f"{value:024X}"
    raise BadBarcode("a company prefix has 6 to 12 digits", field="company_digits")
