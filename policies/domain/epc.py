"""Tags of 96 bits on cartons and places: SSCC-96 and SGLN-96.

Source: GS1 EPC Tag Data Standard. Item tags (SGTIN-96) stand in ``identifiers``.
"""

from __future__ import annotations

from dataclasses import dataclass

from policies.domain.errors import BadBarcode
from policies.domain.identifiers import check_digit

SGTIN_HEADER = 0x30
SSCC_HEADER = 0x31
SGLN_HEADER = 0x32
# Partition -> bits of the company prefix; its digits are 12 - partition.
_COMPANY_BITS = (40, 37, 34, 30, 27, 24, 20)
_SSCC_BITS = 58
_SGLN_BITS = 41
_EXTENSION_BITS = 41


@dataclass(frozen=True)
class Sgln:
    """A place: its GLN and the number of a shelf, dock or room in it (0: the place itself)."""

    gln: str
    extension: int = 0


def header(epc_hex: str) -> int:
    """The first byte of a tag of 24 hexadecimal digits; -1 when the text is no such tag."""
    if len(epc_hex) != 24 or not all(digit in "0123456789abcdefABCDEF" for digit in epc_hex):
        return -1
    return int(epc_hex[:2], 16)


def _parts(epc_hex: str, key_bits: int) -> tuple[str, int, int]:
    """Company prefix, the number behind it, and the digits that number would have less one."""
    value = int(epc_hex, 16)
    partition = (value >> 82) & 0x7
    if partition >= len(_COMPANY_BITS):
        raise BadBarcode(f"partition {partition} is not defined", field="epc")
    bits = _COMPANY_BITS[partition]
    number_bits = key_bits - bits
    key = (value >> (82 - key_bits)) & ((1 << key_bits) - 1)
    digits = 12 - partition
    company = str(key >> number_bits).zfill(digits)
    if len(company) > digits:
        raise BadBarcode(f"{epc_hex} holds a number too large for its partition", field="epc")
    return company, key & ((1 << number_bits) - 1), partition


def _padded(number: int, digits: int, epc_hex: str) -> str:
    text = str(number).zfill(digits) if digits or number else ""
    if len(text) > digits:
        raise BadBarcode(f"{epc_hex} holds a number too large for its partition", field="epc")
    return text


def decode_sscc96(epc_hex: str) -> str:
    """The SSCC of a carton or pallet behind its tag.

    Raises
    ------
    BadBarcode
    """
    if header(epc_hex) != SSCC_HEADER:
        raise BadBarcode(f"{epc_hex[:40]!r} is no SSCC-96", field="epc")
    company, number, partition = _parts(epc_hex, _SSCC_BITS)
    serial = _padded(number, 5 + partition, epc_hex)
    body = serial[0] + company + serial[1:]
    return body + check_digit(body)


def decode_sgln96(epc_hex: str) -> Sgln:
    """The place behind its tag.

    Raises
    ------
    BadBarcode
    """
    if header(epc_hex) != SGLN_HEADER:
        raise BadBarcode(f"{epc_hex[:40]!r} is no SGLN-96", field="epc")
    company, number, partition = _parts(epc_hex, _SGLN_BITS)
    body = company + _padded(number, partition, epc_hex)
    return Sgln(body + check_digit(body), int(epc_hex, 16) & ((1 << _EXTENSION_BITS) - 1))
