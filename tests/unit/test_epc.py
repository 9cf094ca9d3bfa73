"""Tags of cartons and places."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.domain.epc import Sgln, decode_sgln96, decode_sscc96
from policies.domain.errors import BadBarcode
from policies.domain.identifiers import check_digit

_COMPANY_BITS = {12: 40, 11: 37, 10: 34, 9: 30, 8: 27, 7: 24, 6: 20}


def tag(head, company, number, key_bits):
    """The 96 bits of a key, put together field by field."""
    bits = _COMPANY_BITS[len(company)]
    key = f"{int(company):0{bits}b}" + (f"{number:0{key_bits - bits}b}" if key_bits > bits else "")
    fields = f"{head:08b}" + "001" + f"{12 - len(company):03b}" + key
    return f"{int(fields.ljust(96, '0'), 2):024X}"


def test_tags_of_the_standards_examples_are_read():
    """Examples as the Tag Data Standard encodes them."""
    assert decode_sscc96("3174257BF4499602D2000000") == "106141412345678908"
    assert decode_sgln96("3274257bf46072000000162e") == Sgln("0614141123452", 5678)


@given(st.integers(6, 12), st.data())
def test_every_length_of_company_prefix_is_read_back(digits, data):
    """All seven partitions, leading zeros included."""
    company = data.draw(st.text("0123456789", min_size=digits, max_size=digits))
    serial = data.draw(st.text("0123456789", min_size=17 - digits, max_size=17 - digits))
    body = serial[0] + company + serial[1:]
    assert decode_sscc96(tag(0x31, company, int(serial), 58)) == body + check_digit(body)
    place = data.draw(st.text("0123456789", min_size=12 - digits, max_size=12 - digits))
    body = company + place
    assert decode_sgln96(tag(0x32, company, int(place or 0), 41)).gln == body + check_digit(body)


@pytest.mark.parametrize(
    "code",
    [
        "3174257BF4499602D200000",  # one digit short
        "317C257BF4499602D2000000",  # partition 7
        "3174FFFFFFFFFFFFFF000000",  # a company of eight digits where seven belong
        "3074257BF7194E4000001A85",  # an item, no carton
        "31 4257BF4499602D2000000",
    ],
)
def test_a_damaged_tag_is_refused(code):
    """Never a number made up."""
    with pytest.raises(BadBarcode):
        decode_sscc96(code)
