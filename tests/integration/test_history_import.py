"""The import contract on small files: what is kept, what is refused, and how it is said."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from policies.domain.errors import ImportRefused
from scenarios.history.importer import import_history, open_history
from scenarios.history.mapping import load_mapping, ready_mappings

POSLOG = (
    "RetailStoreID,WorkstationID,SequenceNumber,EndDateTime,ItemID,Quantity,UnitOfMeasureCode,"
    "ExtendedAmount,LineItemType"
)
SALE = "S1,1,17,2024-03-01 10:00:00,A,2,EA,5.00,Sale"


def write(folder: Path, name: str, *lines: str) -> Path:
    """A text file of these lines."""
    path = folder / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def poslog(folder: Path, *lines: str, mapping: str | Path = "poslog", header: str = POSLOG):
    """(report, history) of receipts in the ready POSLog-like form."""
    file = write(folder, "receipts.csv", header, *lines)
    report = import_history(mapping, [file], folder / "out")
    return report, open_history(folder / "out")


def own(folder: Path, text: str, base: str = "poslog") -> Path:
    """A mapping file that extends a ready one."""
    path = folder / "own.toml"
    path.write_text(f'extends = "{base}"\n{text}', encoding="utf-8")
    return path


def refusal(folder: Path, *lines: str, **given) -> ImportRefused:
    """The refusal of these receipts; nothing may be left behind."""
    before = {path.name for path in folder.iterdir()}
    with pytest.raises(ImportRefused) as caught:
        poslog(folder, *lines, **given)
    assert {path.name for path in folder.iterdir()} - before <= {"receipts.csv"}
    assert caught.value.remedy or caught.value.field
    return caught.value


def test_receipts_become_sorted_columns_with_prices_in_cents_and_numbered_baskets(tmp_path):
    """Stores and SKUs in the order of their names, lines in the order of time."""
    report, history = poslog(
        tmp_path,
        "S2,1,18,2024-03-02 09:00:00,B,1,EA,1.10,Sale",
        "S1,1,17,2024-03-01 10:00:00,A,2,EA,5.00,Sale",
        "S1,1,16,2024-03-01 09:59:59,B,3,EA,3.30,Sale",
        "S1,1,17,2024-03-01 10:00:00,B,1,EA,1.10,Sale",
    )
    receipts = history.receipts
    assert (receipts.store_ids, receipts.sku_ids) == (("S1", "S2"), ("A", "B"))
    assert receipts.offsets.tolist() == [0, 3, 4]
    assert receipts.t_s.tolist() == [35_999, 36_000, 36_000, 86_400 + 32_400]
    assert receipts.sku.tolist() == [1, 0, 1, 1]
    assert receipts.quantity.tolist() == [3, 2, 1, 1]
    assert receipts.unit_price_cents.tolist() == [110, 250, 110, 110]
    assert receipts.basket.tolist() == [0, 1, 1, 0]
    assert (report.read, report.kept, report.stores, report.skus) == (4, 4, 2, 2)
    assert (report.first, report.last) == ("2024-03-01", "2024-03-02")
    assert isinstance(receipts.t_s, np.memmap)


def test_the_same_receipt_number_on_another_day_is_another_receipt(tmp_path):
    """Tills begin again at 1."""
    _, history = poslog(tmp_path, SALE, SALE.replace("03-01", "03-02"))
    assert history.receipts.basket.tolist() == [0, 1]


def test_returns_and_adjustments_are_kept_beside_the_receipts(tmp_path):
    """Never dropped, never sold."""
    report, history = poslog(
        tmp_path,
        SALE,
        "S1,1,18,2024-03-01 11:00:00,A,-1,EA,-2.50,Return",
        "S1,1,19,2024-03-01 11:05:00,A,-1,EA,-2.50,Sale",
        "S1,1,20,2024-03-01 12:00:00,B,-4,EA,0,Adjustment",
    )
    assert report.kept_as == {"sale": 1, "return": 2, "adjust": 1}
    assert report.read == report.kept == 4
    other = history.table("other_lines")
    assert other.kind.tolist() == ["return", "return", "adjust"]
    assert other.quantity.tolist() == [1, 1, -4]
    assert history.receipts.quantity.tolist() == [2]


def test_a_void_takes_its_sale_back_and_both_are_counted(tmp_path):
    """In full, in part, and one without a sale."""
    report, history = poslog(
        tmp_path,
        "S1,1,17,2024-03-01 10:00:00,A,2,EA,5.00,Sale",
        "S1,1,17,2024-03-01 10:00:00,A,2,EA,5.00,Void",
        "S1,1,18,2024-03-01 10:10:00,A,5,EA,5.00,Sale",
        "S1,1,18,2024-03-01 10:10:00,A,-2,EA,-2.00,Void",
        "S1,1,19,2024-03-01 10:20:00,A,1,EA,1.00,Void",
        "S1,1,20,2024-03-01 10:30:00,B,1,EA,1.00,Sale",
    )
    assert report.rejected == {
        "sale taken back by a void": 1,
        "void (takes back its sale)": 2,
        "void without a sale to take back": 1,
    }
    assert report.read == report.kept + sum(report.rejected.values())
    assert report.kept_as == {"sale": 2}
    assert history.receipts.quantity.tolist() == [3, 1]
    assert report.examples["void without a sale to take back"][0]["quantity"] == 1


def test_weighed_goods_become_grams_and_pieces_stay_pieces(tmp_path):
    """A fraction of a piece is refused."""
    _, history = poslog(tmp_path, SALE, "S1,1,18,2024-03-01 11:00:00,B,0.352,KGM,3.52,Sale")
    assert history.receipts.quantity.tolist() == [2, 352]
    assert history.receipts.unit_price_cents.tolist() == [250, 1]
    fault = refusal(tmp_path, SALE.replace(",2,EA", ",2.5,EA"))
    assert (fault.field, fault.row) == ("sales.columns.qty", 1)
    assert "grams" in fault.remedy


def test_discounts_lower_the_price_paid(tmp_path):
    """Unit price less the line's discount per unit."""
    mapping = own(
        tmp_path,
        '[sales.columns]\nline_value = ""\nunit_price = "ExtendedAmount"\ndiscount = "Discount"',
    )
    _, history = poslog(tmp_path, SALE + ",1.00", mapping=mapping, header=POSLOG + ",Discount")
    assert history.receipts.unit_price_cents.tolist() == [450]


@pytest.mark.parametrize(
    ("zone", "written", "local"),
    [
        ("UTC", "2024-03-01 10:00:00", 11 * 3600),
        ("Asia/Shanghai", "2024-03-01 17:00:00", 10 * 3600),
        ("offset", "2024-03-01T10:00:00+00:00", 11 * 3600),
        ("local", "2024-03-01T10:00", 10 * 3600),
    ],
)
def test_times_become_the_chains_wall_clock(tmp_path, zone, written, local):
    """Berlin is an hour ahead of UTC in March."""
    mapping = own(tmp_path, f'[sales]\nzone = "{zone}"')
    _, history = poslog(tmp_path, SALE.replace("2024-03-01 10:00:00", written), mapping=mapping)
    assert history.receipts.t_s.tolist() == [local]


def test_the_hour_that_clocks_repeat_keeps_its_true_order(tmp_path):
    """Two instants share a local second; the earlier one stays first."""
    mapping = own(tmp_path, 'tz = "America/New_York"\n[sales]\nzone = "UTC"')
    late, early = SALE.replace("03-01 10:00", "11-03 06:30"), SALE.replace("03-01 10", "11-03 05")
    _, history = poslog(
        tmp_path, late.replace(",2,EA", ",9,EA"), early.replace("05:00", "05:30"), mapping=mapping
    )
    assert history.receipts.t_s.tolist() == [5_400, 5_400]
    assert history.receipts.quantity.tolist() == [2, 9]


def test_a_second_import_reads_nothing_and_changed_content_or_mapping_reads_again(
    tmp_path, monkeypatch
):
    """The cache is keyed by content; unchanged files are not even hashed."""
    first, _ = poslog(tmp_path, SALE)
    file = tmp_path / "receipts.csv"
    with monkeypatch.context() as patch:
        patch.setattr("scenarios.history.importer.read_history", lambda *_: pytest.fail("read"))
        patch.setattr("hashlib.file_digest", lambda *_: pytest.fail("hashed"))
        assert import_history("poslog", [file], tmp_path / "out") == first
    file.write_text(file.read_text() + SALE.replace(",17,", ",18,") + "\n")
    assert import_history("poslog", [file], tmp_path / "out").read == 2
    mapping = own(tmp_path, 'tz = "Asia/Tokyo"')
    again = import_history(mapping, [file], tmp_path / "out")
    assert again.notes["tz"] == "Asia/Tokyo"


def test_items_and_stores_make_unknown_ones_stand_out(tmp_path):
    """Counted under one reason each, with examples."""
    write(tmp_path, "items.csv", "ItemID,MerchandiseHierarchyGroup,Description,GTIN", "A,Dry,Tea,")
    write(tmp_path, "stores.csv", "RetailStoreID,Name,Latitude,Longitude", "S1,One,52.5,13.4")
    file = write(
        tmp_path,
        "receipts.csv",
        POSLOG,
        SALE,
        SALE.replace(",A,", ",X,"),
        SALE.replace("S1", "S9").replace(",A,", ",X,"),
        SALE.replace(",2,EA", ",0,EA").replace(",A,", ",X,"),
    )
    files = [file, tmp_path / "items.csv", tmp_path / "stores.csv"]
    report = import_history("poslog", files, tmp_path / "out")
    assert report.rejected == {"quantity is 0": 1, "unknown store": 1, "unknown SKU": 1}
    assert report.examples["unknown SKU"][0]["row"] == 2
    history = open_history(tmp_path / "out")
    assert history.items.loc[0, "name"] == "Tea"
    assert history.stores.lat.tolist() == [52.5]


def test_chinese_map_coordinates_are_converted_on_import(tmp_path):
    """A store table declares its datum."""
    mapping = own(tmp_path, '[stores]\ncoordinates = "GCJ-02"')
    stores = write(
        tmp_path, "stores.csv", "RetailStoreID,Name,Latitude,Longitude", "S1,x,31.2304,121.4737"
    )
    file = write(tmp_path, "receipts.csv", POSLOG, SALE)
    import_history(mapping, [file, stores], tmp_path / "out")
    table = open_history(tmp_path / "out").stores
    assert 0.001 < abs(table.lat[0] - 31.2304) < 0.01
    assert 0.001 < abs(table.lon[0] - 121.4737) < 0.01


def test_a_missing_column_is_refused_with_the_nearest_name(tmp_path):
    """File, field and remedy."""
    fault = refusal(tmp_path, SALE, header=POSLOG.replace("Quantity", "Quantitty"))
    assert fault.field == "sales.columns.qty"
    assert "receipts.csv" in fault.detail
    assert "'Quantitty'" in fault.detail
    assert "RetailStoreID" in fault.remedy


def test_a_wrong_zone_is_refused_with_the_nearest_name(tmp_path):
    """Zone of the chain and zone of the times."""
    fault = refusal(tmp_path, SALE, mapping=own(tmp_path, 'tz = "Europe/Berlyn"'))
    assert fault.field == "tz"
    assert "Europe/Berlin" in fault.detail
    fault = refusal(tmp_path, SALE, mapping=own(tmp_path, '[sales]\nzone = "GMT+25"'))
    assert fault.field == "sales.zone"


@pytest.mark.parametrize(
    ("old", "new", "field", "said"),
    [
        (",2,EA", ",two,EA", "sales.columns.qty", "'two'"),
        (",2,EA", ",,EA", "sales.columns.qty", "no number"),
        (",2,EA", ",inf,EA", "sales.columns.qty", "'inf'"),
        (",2,EA", ",9999999999,EA", "sales.columns.qty", "2^31"),
        ("2024-03-01 10:00:00", "yesterday", "sales.columns.ts", "'yesterday'"),
        ("2024-03-01 10:00:00", "2024-13-01 10:00:00", "sales.columns.ts", "2024-13-01"),
        (",5.00,", ",five,", "sales.columns.line_value", "'five'"),
        ("S1,", ",", "sales.columns.store_id", "empty"),
        (",Sale", ",Gift", "sales.columns.kind", "'Gift'"),
    ],
)
def test_an_unreadable_value_is_refused_with_its_row(tmp_path, old, new, field, said):
    """The third data row is at fault."""
    fault = refusal(tmp_path, SALE, SALE, SALE.replace(old, new, 1), SALE)
    assert (fault.field, fault.row) == (field, 3)
    assert said in fault.detail
    assert "receipts.csv" in fault.detail
    assert fault.remedy


def test_unreadable_values_are_rejected_by_reason_where_the_mapping_says_so(tmp_path):
    """Counted with examples instead of refused."""
    mapping = own(tmp_path, '[sales]\nbad_values = "reject"')
    report, _ = poslog(
        tmp_path,
        SALE,
        SALE.replace(",2,EA", ",two,EA"),
        SALE.replace("2024-03-01 10:00:00", "never"),
        mapping=mapping,
    )
    assert report.rejected == {
        "EndDateTime is no date or time": 1,
        "Quantity is no number": 1,
    }
    assert report.read == report.kept + 2 == 3


def test_an_empty_file_a_header_alone_and_a_missing_file_are_refused(tmp_path):
    """Each in its own words."""
    empty = tmp_path / "empty.csv"
    empty.touch()
    with pytest.raises(ImportRefused, match=r"empty\.csv is empty"):
        import_history("poslog", [empty], tmp_path / "out")
    assert "no data row" in refusal(tmp_path).detail
    with pytest.raises(ImportRefused, match=r"no file .*absent\.csv"):
        import_history("poslog", [tmp_path / "absent.csv"], tmp_path / "out")
    with pytest.raises(ImportRefused, match="needs a sales file"):
        import_history("poslog", [], tmp_path / "out")


def test_a_duplicate_item_is_refused_with_both_rows(tmp_path):
    """Two prices or cases of one SKU can't both be true."""
    header = "ItemID,MerchandiseHierarchyGroup,Description,GTIN"
    items = write(tmp_path, "items.csv", header, "A,Dry,Tea,", "B,Dry,Rice,", "A,Dry,Coffee,")
    file = write(tmp_path, "receipts.csv", POSLOG, SALE)
    with pytest.raises(ImportRefused, match="first in row 1") as caught:
        import_history("poslog", [file, items], tmp_path / "out")
    assert (caught.value.field, caught.value.row) == ("items.sku_id", 3)


def test_a_wrong_check_digit_is_refused_with_its_row(tmp_path):
    """A mistyped barcode would never scan."""
    header = "ItemID,MerchandiseHierarchyGroup,Description,GTIN"
    items = write(tmp_path, "items.csv", header, "A,Dry,Tea,4006381333931", "B,Dry,x,4006381333932")
    file = write(tmp_path, "receipts.csv", POSLOG, SALE)
    with pytest.raises(ImportRefused) as caught:
        import_history("poslog", [file, items], tmp_path / "out")
    assert (caught.value.field, caught.value.row) == ("items.gtin", 2)


def test_a_row_with_too_few_fields_is_refused(tmp_path):
    """Broken quoting or a wrong delimiter."""
    fault = refusal(tmp_path, SALE, "S1,1,17")
    assert fault.row == 2


def test_bytes_of_another_encoding_are_refused_until_it_is_declared(tmp_path):
    """Latin-1 names are common in old tills."""
    line = SALE.replace(",A,", ",Käse,")
    (tmp_path / "receipts.csv").write_bytes(f"{POSLOG}\n{line}\n".encode("latin-1"))
    with pytest.raises(ImportRefused) as caught:
        import_history("poslog", [tmp_path / "receipts.csv"], tmp_path / "out")
    assert caught.value.field == "file.encoding"
    mapping = own(tmp_path, '[file]\nencoding = "latin-1"')
    import_history(mapping, [tmp_path / "receipts.csv"], tmp_path / "out")
    assert open_history(tmp_path / "out").receipts.sku_ids == ("Käse",)


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("[sales]\nzonne = 'UTC'", "sales.zonne"),
        ("[sale]\nzone = 'UTC'", "sale"),
        ("[sales.columns]\nquantity = 'Q'", "sales.columns.quantity"),
        ("[sales]\nfraction = 'guess'", "sales.fraction"),
        ("[sales.kinds]\nX = 'gift'", "sales.kinds"),
        ("[stores]\ncoordinates = 'GCJ02'", "stores.coordinates"),
        ("[sales.columns]\nqty = ''", "sales.columns.qty"),
        ("this is no toml", "mapping"),
    ],
)
def test_a_mapping_with_a_fault_is_refused_by_its_key(tmp_path, text, field):
    """Unknown keys, unknown words, missing columns."""
    assert refusal(tmp_path, SALE, mapping=own(tmp_path, text)).field == field


def test_an_unknown_mapping_and_one_that_extends_itself_are_refused(tmp_path):
    """With the ready ones' names."""
    with pytest.raises(ImportRefused, match="did you mean 'poslog'"):
        load_mapping("poslogg")
    path = tmp_path / "self.toml"
    path.write_text(f'extends = "{path}"')
    with pytest.raises(ImportRefused, match="extends itself"):
        load_mapping(path)


def test_every_ready_mapping_loads():
    """They come with the package."""
    names = ready_mappings()
    assert set(names) == {
        "complete-journey",
        "freshretail-hourly",
        "invoices",
        "m5-wide",
        "poslog",
    }
    for name in names:
        assert load_mapping(name).name == name


def test_invoices_keep_returns_and_reject_fees_and_stock_notes_stand_apart(tmp_path):
    """Cancellations, stock-note lines, non-product codes."""
    file = write(
        tmp_path,
        "invoices.csv",
        "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country",
        "536365,85123A,HOLDER,6,12/1/2010 8:26,2.55,17850,United Kingdom",
        "536365,POST,POSTAGE,1,12/1/2010 8:26,18.00,17850,France",
        "C536379,85123A,HOLDER,-1,12/1/2010 9:41,2.55,14527,United Kingdom",
        "536414,22139,,56,12/1/2010 11:52,0,,United Kingdom",
        "536589,21777,damaged,-10,12/13/2010 16:50,0,,United Kingdom",
        "A563185,B,Adjust bad debt,1,8/12/2011 14:50,11062.06,,United Kingdom",
    )
    report = import_history("invoices", [file], tmp_path / "out")
    assert report.kept_as == {"sale": 1, "return": 1, "adjust": 2}
    assert sum(report.rejected.values()) == 2
    assert report.read == report.kept + 2 == 6
    history = open_history(tmp_path / "out")
    assert history.receipts.t_s.tolist() == [8 * 3600 + 26 * 60]
    assert history.items.name.tolist() == ["HOLDER"]
    assert history.receipts.store_ids == ("web",)


def test_day_first_dates_are_never_guessed_batch_by_batch(tmp_path):
    """01/02 is January 2nd until the mapping says otherwise."""
    header = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice"
    file = write(
        tmp_path, "i.csv", header, "1,A,x,1,01/02/2011 8:00,1", "2,A,x,1,13/02/2011 8:00,1"
    )
    with pytest.raises(ImportRefused) as caught:
        import_history("invoices", [file], tmp_path / "out")
    assert (caught.value.field, caught.value.row) == ("sales.columns.ts", 2)
    mapping = own(tmp_path, '[sales]\ntime_formats = ["%d/%m/%Y %H:%M"]', "invoices")
    assert import_history(mapping, [file], tmp_path / "out").first == "2011-02-01"


def test_wide_days_become_lines_with_weekly_prices_and_events(tmp_path):
    """The M5 layout: a column a day, prices by week."""
    sales = write(
        tmp_path,
        "sales_train_evaluation.csv",
        "id,item_id,dept_id,cat_id,store_id,state_id,d_1,d_2,d_8",
        "x,FOODS_1_001,FOODS_1,FOODS,CA_1,CA,2,0,1",
        "x,FOODS_1_002,FOODS_1,FOODS,CA_1,CA,0,0,0",
    )
    calendar = write(
        tmp_path,
        "calendar.csv",
        "date,wm_yr_wk,event_name_1",
        *[f"2011-01-{29 + d},11101,{'SuperBowl' if d == 1 else ''}" for d in range(3)],
        *[f"2011-02-0{d},11101," for d in range(1, 5)],
        "2011-02-05,11102,",
    )
    prices = write(
        tmp_path,
        "sell_prices.csv",
        "store_id,item_id,wm_yr_wk,sell_price",
        "CA_1,FOODS_1_001,11101,2.50",
        "CA_1,FOODS_1_001,11102,3.00",
    )
    report = import_history("m5-wide", [sales, calendar, prices], tmp_path / "out")
    history = open_history(tmp_path / "out")
    receipts = history.receipts
    assert (report.read, report.kept, report.lines) == (2, 2, 3)
    assert (receipts.t_s // 86_400).tolist() == [0, 0, 7]
    assert ((receipts.t_s % 86_400) // 3600 >= 8).all()
    assert ((receipts.t_s % 86_400) // 3600 < 21).all()
    assert receipts.unit_price_cents.tolist() == [250, 250, 300]
    assert history.start_date.isoformat() == "2011-01-29"
    assert history.items.category.tolist() == ["FOODS_1"]
    assert history.table("calendar").event.tolist()[1] == "SuperBowl"
    assert "assumed_times" in report.notes


def test_a_date_and_an_hour_spread_units_inside_that_hour(tmp_path):
    """The same file gives the same seconds."""
    mapping = own(
        tmp_path,
        '[sales.columns]\nts = ""\ndate = "Day"\nhour = "Hour"\nkind = ""\nunit = ""\n'
        'basket_id = ""\nline_value = ""',
    )
    header = "RetailStoreID,ItemID,Day,Hour,Quantity"
    lines = ("S1,A,2024-03-01,9,4", "S1,B,2024-03-01,9,1")
    _, history = poslog(tmp_path, *lines, mapping=mapping, header=header)
    times = np.array(history.receipts.t_s)
    assert ((times >= 9 * 3600) & (times < 10 * 3600)).all()
    a = times[history.receipts.sku == 0]
    assert np.diff(a).tolist() == [900, 900, 900]
    assert history.receipts.quantity.tolist() == [1] * 5
    _, again = poslog(tmp_path, *reversed(lines), mapping=mapping, header=header)
    assert sorted(again.receipts.t_s.tolist()) == sorted(times.tolist())


def test_parquet_and_a_database_give_the_same_columns_as_text(tmp_path):
    """Three doors into one room."""
    rows = [
        f"S{i % 3},1,{i // 4},2024-03-01 10:{i % 60:02d}:00,{i % 7},1,EA,1.50,Sale"
        for i in range(90)
    ]
    _, text = poslog(tmp_path, *rows)
    frame = pd.read_csv(tmp_path / "receipts.csv")
    frame["EndDateTime"] = pd.to_datetime(frame["EndDateTime"])
    frame.to_parquet(tmp_path / "receipts.parquet")
    import_history("poslog", [tmp_path / "receipts.parquet"], tmp_path / "parquet")
    with sqlite3.connect(tmp_path / "till.sqlite") as base:
        frame.assign(EndDateTime=frame["EndDateTime"].astype(str)).to_sql("till", base, index=False)
    base.close()
    mapping = own(tmp_path, '[sales]\nquery = "SELECT * FROM till"')
    import_history(mapping, [tmp_path / "till.sqlite"], tmp_path / "sql")
    for other in ("parquet", "sql"):
        receipts = open_history(tmp_path / other).receipts
        for name in ("offsets", "t_s", "sku", "quantity", "unit_price_cents", "basket"):
            assert (getattr(receipts, name) == getattr(text.receipts, name)).all(), (other, name)


def test_progress_ends_at_the_whole(tmp_path):
    """Bytes read of bytes there are."""
    file = write(tmp_path, "receipts.csv", POSLOG, *[SALE] * 1_000)
    told = []
    import_history(
        "poslog", [file], tmp_path / "out", lambda done, whole: told.append((done, whole))
    )
    assert told[-1] == (file.stat().st_size,) * 2


def test_a_folder_without_a_history_is_refused(tmp_path):
    """With the remedy."""
    with pytest.raises(ImportRefused, match="storetwin import"):
        open_history(tmp_path)


def test_a_text_cell_among_the_days_is_refused_or_loses_its_row(tmp_path):
    """Row and column of the cell."""
    lines = (
        "item_id,dept_id,store_id,d_1,d_2",
        "A,D,CA_1,1,2",
        "B,D,CA_1,x,1",
    )
    file = write(tmp_path, "sales_train.csv", *lines)
    with pytest.raises(ImportRefused, match="'x' in column 'd_1'") as caught:
        import_history("m5-wide", [file], tmp_path / "out")
    assert caught.value.row == 2
    mapping = own(tmp_path, '[sales]\nbad_values = "reject"', "m5-wide")
    report = import_history(mapping, [file], tmp_path / "out")
    assert report.rejected == {"d_1 is no quantity": 1}
    assert (report.read, report.kept, report.lines) == (2, 1, 3)


def test_a_store_too_large_for_memory_is_sorted_in_pieces_of_days(tmp_path, monkeypatch):
    """The same columns, receipt numbers and voids as in one piece."""
    rng = np.random.default_rng(5)
    day, second = rng.integers(1, 29, 600), rng.integers(8 * 3600, 20 * 3600, 600)
    lines = [
        f"S1,1,{i // 2},2024-02-{d:02d} {s // 3600:02d}:{s % 3600 // 60:02d}:{s % 60:02d},"
        f"{i % 5},{1 + i % 3},EA,1.00,{'Void' if i % 50 == 49 else 'Sale'}"
        for i, (d, s) in enumerate(zip(day, second, strict=True))
    ]
    whole_report, whole = poslog(tmp_path, *lines)
    monkeypatch.setattr("scenarios.history.columns.PIECE_ROWS", 100)
    mapping = own(tmp_path, "")
    file = tmp_path / "receipts.csv"
    pieces_report = import_history(mapping, [file], tmp_path / "pieces")
    pieces = open_history(tmp_path / "pieces")
    assert pieces_report.rejected == whole_report.rejected
    for name in ("offsets", "t_s", "sku", "quantity", "unit_price_cents", "basket"):
        assert (getattr(pieces.receipts, name) == getattr(whole.receipts, name)).all(), name
