"""Every GS1 form that a scanner can read, through the public API."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from ops_api.masterdata.tables import SKUS
from policies.domain.identifiers import Sgtin, encode_sgtin96
from tests.integration.api_service import make_rig

STORE = "S0001"


@pytest.fixture(scope="module")
def rig(tmp_path_factory, database):
    """One service for all: resolving writes nothing."""
    made = make_rig(tmp_path_factory.mktemp("scan"))
    yield made
    made.engine.dispose()


def resolve(rig, code, **headers):
    """The answer to one scan."""
    return rig.post("clerk1", "/scans/resolve", {"code": code}, **headers)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("(01){gtin}(10)LOT1(17)261231", {"lot": "LOT1", "expires_on": "2026-12-31"}),
        ("(01){gtin}(21)S-9(10)A", {"serial": "S-9", "lot": "A"}),
        ("]C101{gtin}10LOT1\x1d17261231", {"lot": "LOT1", "expires_on": "2026-12-31"}),
        ("https://id.example.org/01/{gtin}/10/L%2F1?17=261231&linkType=x", {"lot": "L/1"}),
        ("https://example.org/goods/01/{gtin}/21/77", {"serial": "77"}),
    ],
)
def test_an_items_code_gives_lot_serial_and_expiry(rig, code, expected):
    """Bracketed, FNC1, Digital Link."""
    answer = resolve(rig, code.replace("{gtin}", rig.network.skus.gtin[0])).json
    assert answer["sku"] == "K00001"
    assert expected.items() <= answer.items()


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("(00)106141412345678908", {"kind": "sscc", "sscc": "106141412345678908"}),
        ("https://example.org/00/106141412345678908", {"kind": "sscc"}),
        ("3174257BF4499602D2000000", {"kind": "sscc", "sscc": "106141412345678908"}),
        ("(414)0614141123452", {"kind": "unknown_gln", "gln": "0614141123452"}),
        ("3274257BF46072000000162E", {"kind": "unknown_gln", "extension": "5678"}),
        ("3074257BF7194E4000001A85", {"gtin": "80614141123458", "serial": "6789"}),
    ],
)
def test_cartons_places_and_strangers_are_told_apart(rig, code, expected):
    """SSCC, GLN and tags of others."""
    assert expected.items() <= resolve(rig, code).json.items()


def test_a_tag_on_our_goods_names_the_sku(rig):
    """SGTIN-96 to SKU and serial."""
    code = encode_sgtin96(Sgtin(rig.network.skus.gtin[0], 12345), 7)
    assert {"sku": "K00001", "serial": "12345"}.items() <= resolve(rig, code).json.items()


def test_the_day_of_production_and_the_shelf_life_give_the_expiry(rig):
    """AI 11 alone; an AI 17 beside it wins."""
    with rig.engine.begin() as connection:
        connection.execute(update(SKUS).where(SKUS.c.id == "K00002").values(shelf_life_days=21))
    gtin = rig.network.skus.gtin[1]
    answer = resolve(rig, f"(01){gtin}(11)240110").json
    assert answer["expires_on"] == "2024-01-31"
    assert resolve(rig, f"(01){gtin}(11)240110(17)240111").json["expires_on"] == "2024-01-11"


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("(01){gtin}(10)", "BAD_BARCODE"),
        ("(01){gtin}(17)26123", "BAD_BARCODE"),
        ("(01){gtin}(10)A(10)B", "BAD_BARCODE"),
        ("https://example.org/01/{gtin}/10", "BAD_BARCODE"),
        ("https://example.org/01/{gtin}/17/261231", "BAD_BARCODE"),
        ("https://example.org/index.html", "BAD_BARCODE"),
        ("https://[broken/01/{gtin}", "BAD_BARCODE"),
        ("317C257BF4499602D2000000", "BAD_BARCODE"),
        ("]", "BAD_BARCODE"),
        ("]E0", "BAD_BARCODE"),
        ("]C1 ]", "BAD_BARCODE"),
        ("106141412345678909", "GTIN_CHECKSUM"),
    ],
)
def test_a_damaged_code_is_refused_in_the_readers_language(rig, code, error):
    """Never half read."""
    text = code.replace("{gtin}", rig.network.skus.gtin[0])
    english, chinese = resolve(rig, text), resolve(rig, text, **{"Accept-Language": "zh"})
    assert english.status_code == chinese.status_code == 400, english.json
    assert english.json["code"] == chinese.json["code"] == error
    assert not chinese.json["title"].isascii()
