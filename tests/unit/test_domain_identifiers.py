"""Barcodes and units: what is wrong is refused, what is right comes back the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.domain.errors import BadBarcode, InvalidInput, UnknownUnit, WrongCheckDigit
from policies.domain.identifiers import (
    Sgtin,
    decode_sgtin96,
    encode_sgtin96,
    gln,
    gtin14,
    make_gtin14,
    make_sscc,
    sscc,
)
from policies.domain.units import to_base_units


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("4006381333931", "04006381333931"),
        ("73513537", "00000073513537"),
        ("036000291452", "00036000291452"),
        ("06901234567892", "06901234567892"),
    ],
)
def test_every_gtin_length_is_kept_as_gtin14(code, expected):
    """EAN-8, UPC-A, EAN-13 and GTIN-14."""
    assert gtin14(code) == expected


@given(st.integers(0, 10**9 - 1), st.integers(0, 12), st.integers(1, 9))
def test_one_wrong_digit_never_passes(reference, position, shift):
    """The check digit finds every single-digit error."""
    code = make_gtin14("690", reference)
    i = position + 1
    wrong = code[:i] + str((int(code[i]) + shift) % 10) + code[i + 1 :]
    with pytest.raises(WrongCheckDigit):
        gtin14(wrong)


@pytest.mark.parametrize("code", ["", "12345", "40063813339３1", "4006381333931x", "9" * 200])
def test_what_is_no_gtin_is_refused(code):
    """Other lengths, other scripts' digits, letters."""
    with pytest.raises(BadBarcode):
        gtin14(code)


def test_gln_and_sscc_are_checked():
    """Published examples of GS1."""
    assert gln("9506000134352") == "9506000134352"
    assert sscc("106141412345678908") == "106141412345678908"
    assert sscc(make_sscc(3, "0614141", 77))
    with pytest.raises(WrongCheckDigit):
        gln("9506000134351")
    with pytest.raises(BadBarcode):
        sscc("1061414123456789")


def test_the_standards_example_tag_is_decoded():
    """urn:epc:id:sgtin:0614141.812345.6789 of the Tag Data Standard."""
    item = decode_sgtin96("3074257BF7194E4000001A85")
    assert item.gtin == "80614141123458"
    assert item.serial == 6789


@given(st.integers(0, 10**6), st.integers(0, 2**38 - 1), st.integers(6, 12))
def test_tags_survive_a_round_trip(reference, serial, digits):
    """Encode then decode."""
    item = Sgtin(make_gtin14("6901234", reference % 10**5), serial)
    assert decode_sgtin96(encode_sgtin96(item, digits)) == item


@pytest.mark.parametrize("epc", ["", "zz", "30" * 20, "FF74257BF7194E4000001A85"])
def test_other_tags_are_refused(epc):
    """Not hexadecimal, wrong length, another scheme."""
    with pytest.raises(BadBarcode):
        decode_sgtin96(epc)


def test_weights_and_cases_become_base_units():
    """1.25 kg is 1250 g; 3 cases of 12 are 36."""
    assert to_base_units("1.25", "kg", "g") == 1250
    assert to_base_units(3, "case", "each", {"case": 12}) == 36


@pytest.mark.parametrize(
    ("amount", "unit", "base", "error"),
    [
        ("0.0005", "kg", "g", InvalidInput),
        ("NaN", "each", "each", InvalidInput),
        ("1e30", "each", "each", InvalidInput),
        ("ten", "each", "each", InvalidInput),
        ("1", "pallet", "each", UnknownUnit),
        ("1", "kg", "each", UnknownUnit),
    ],
)
def test_quantities_that_do_not_come_out_even_are_refused(amount, unit, base, error):
    """Never rounded silently."""
    with pytest.raises(error):
        to_base_units(amount, unit, base)
