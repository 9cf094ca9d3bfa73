"""The example of the import guide works as written."""

from __future__ import annotations

import re
from pathlib import Path

from scenarios.history.importer import import_history, open_history

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "imports.md"


def test_the_guides_own_mapping_reads_a_gb18030_file(tmp_path):
    """Both blocks together, on the columns they name."""
    blocks = re.findall(r"```toml\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "own.toml").write_text("\n".join(blocks), encoding="utf-8")
    rows = (
        "门店编码,小票号,交易时间,商品编码,数量,实收金额",
        "一店,1,2024-02-09 18:30:00,鲜牛奶,2,11.80",
        "一店,1,2024-02-09 18:30:00,BAG1,1,0.30",
        "一店,2,2024-02-09 18:31:00,鲜牛奶,两,5.90",
    )
    (tmp_path / "sales.csv").write_bytes("\n".join(rows).encode("gb18030"))
    report = import_history(tmp_path / "own.toml", [tmp_path / "sales.csv"], tmp_path / "out")
    assert report.rejected == {"carrier bag": 1, "数量 is no number": 1}
    history = open_history(tmp_path / "out")
    assert history.receipts.store_ids == ("一店",)
    assert history.receipts.unit_price_cents.tolist() == [590]
    assert (history.tz, history.currency) == ("Asia/Shanghai", "CNY")
