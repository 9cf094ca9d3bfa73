"""A hundred thousand SKUs out and in over HTTP: processor time and memory of one process."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

SCRIPT = """
import io, json, resource, sys, time, uuid
from sqlalchemy import insert
from ops_api import create_app
from ops_api.database import make_engine
from ops_api.masterdata.tables import SKUS
from ops_api.migrations.run import upgrade
from ops_api.people.service import GrantSpec, create_person, issue_token
from ops_api.workbooks.files import XLSX

ROWS = 100_000
url = f"sqlite:///{sys.argv[1]}/service.db"
upgrade(url)
engine = make_engine(url)
create_person(engine, "boss", name="boss", login="boss", password="correct horse battery",
              grants=[GrantSpec("executive")])
token = issue_token(engine, "boss", device="desk")
def row(i):
    return dict(id=f"K{i:06d}", axis=None, name=f"name {i}", category="category",
                unit_cost_cents=100, unit_price_cents=150, pack_size=12, mass_g=500,
                volume_cm3=900, shelf_life_days=30, lot_tracked=False,
                count_tolerance_units=0, valid_from=0, version=1)
with engine.begin() as connection:
    for start in range(0, ROWS, 5_000):
        connection.execute(insert(SKUS), [row(i) for i in range(start, start + 5_000)])
client = create_app({"DATABASE_URL": url, "SECRET_KEY": "a" * 16}).test_client()
head = {"Authorization": f"Bearer {token}"}
began = time.process_time()
content = client.get("/api/v1/exports/skus", headers=head).data
out = time.process_time()
head |= {"Content-Type": XLSX, "Idempotency-Key": str(uuid.uuid4())}
done = client.post("/api/v1/imports/skus", data=content, headers=head).json
back = time.process_time()
assert done["unchanged"] == ROWS, done
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"export_s": out - began, "import_s": back - out, "peak_mb": peak,
                  "bytes": len(content)}))
"""


@pytest.mark.benchmark
def test_a_hundred_thousand_rows_in_thirty_seconds_and_half_a_gigabyte(tmp_path):
    """Each way."""
    command = [sys.executable, "-c", SCRIPT, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    figures = json.loads(done.stdout)
    print(figures)
    assert figures["export_s"] <= 30
    assert figures["import_s"] <= 30
    assert figures["peak_mb"] <= 500
