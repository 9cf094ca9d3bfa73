"""No row is ever lost without a reason, whatever the file holds."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.domain.errors import ImportRefused
from scenarios.history.importer import import_history, open_history

LINES = st.lists(
    st.tuples(
        st.sampled_from(["S1", "S2", ""]),
        st.sampled_from(["1", "2"]),
        st.sampled_from(["2024-03-01 10:00:00", "2024-03-31 02:30:00", "2024-10-27 02:30:00", "x"]),
        st.sampled_from(["A", "B", ""]),
        st.sampled_from(["1", "3", "0", "-2", "1.5", "x", ""]),
        st.sampled_from(["EA", "KGM"]),
        st.sampled_from(["1.00", "-4.00", "x"]),
        st.sampled_from(["Sale", "Return", "Void", "Adjustment", "Gift"]),
    ),
    min_size=1,
    max_size=40,
)
HEADER = (
    "RetailStoreID,SequenceNumber,EndDateTime,ItemID,Quantity,UnitOfMeasureCode,"
    "ExtendedAmount,LineItemType,WorkstationID"
)
MAPPING = 'extends = "poslog"\n[sales]\nbad_values = "reject"\nzone = "UTC"\n'


@settings(max_examples=60, deadline=None)
@given(LINES)
def test_rows_read_are_rows_kept_and_rows_rejected_for_one_reason(lines):
    """And what is kept stands in the columns or beside them."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "own.toml").write_text(MAPPING)
        text = "\n".join([HEADER, *[",".join((*line, "1")) for line in lines]]) + "\n"
        (folder / "receipts.csv").write_text(text)
        try:
            report = import_history(folder / "own.toml", [folder / "receipts.csv"], folder / "out")
        except ImportRefused as refused:
            detail = refused.detail
        else:
            detail = ""
        if detail:
            assert "no line of the files is a sale" in detail
            assert not (folder / "out").exists()
            return
        assert report.read == len(lines) == report.kept + sum(report.rejected.values())
        assert report.kept == sum(report.kept_as.values())
        history = open_history(folder / "out")
        assert history.receipts.lines == report.kept_as.get("sale", 0) == report.lines
        other = history.table("other_lines")
        beside = sum(report.kept_as.get(kind, 0) for kind in ("return", "adjust"))
        assert (0 if other is None else len(other)) == beside
        assert (history.receipts.quantity > 0).all()
        for i in range(report.stores):
            assert (np.diff(history.receipts.t_s[history.receipts.store(i)]) >= 0).all()
