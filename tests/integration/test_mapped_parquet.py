"""Parquet files: mapped, read on by row number, bounded, and told apart from what only looks like one."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime

import fsspec
import pyarrow as pa
import pytest
from click.testing import CliRunner
from pyarrow import parquet

from llmmon.cli import main
from llmmon.errors import BadRowError, SourceUnavailableError
from llmmon.pipeline.ingest import ingest_source
from llmmon.sources.mapped_parquet import MappedParquet
from tests.integration.test_mapped_files import quarantined, requests

FIELDS = {
    "occurred_at": "at",
    "model": {"value": "m"},
    "prompt": "q",
    "response_text": "answer.text",
    "n_input_tokens": "n",
    "latency_ms": {"path": "s", "scale": 1000},
}
TOML = """
[sources.mine]
gate = { max_null_fraction = {}, max_bad_fraction = 1.0 }
[sources.mine.read]
type = "mapped_parquet"
path = "${here}/*.parquet"
[sources.mine.read.fields]
occurred_at = "at"
model = { value = "m" }
prompt = "q"
response_text = "answer.text"
[deployments.m]
source = "mine"
"""


def write(path, n_rows, *, first=0, rows_per_group=3, **columns):
    """Write `n_rows` rows, one second apart, with several row groups."""
    numbers = range(first, first + n_rows)
    table = {
        "at": pa.array([1687842000_000000 + number * 10**6 for number in numbers], pa.timestamp("us")),
        "q": [f"q{number}" for number in numbers],
        "answer": [{"text": f"a{number}", "score": 0.5} for number in numbers],
        "secret": ["s"] * n_rows,
        **columns,
    }
    parquet.write_table(pa.table(table), path, row_group_size=rows_per_group)


def read(source, position=None, *, max_rows=4):
    """Return the rows behind `position` and the new position."""
    found = []
    for batch in source.read(position, max_rows=max_rows):
        assert len(batch.rows) <= max_rows
        found += batch.rows
        position = json.loads(json.dumps(batch.position))
    return found, position


def source(path, **changes):
    """Return the source under test."""
    return MappedParquet(path=str(path), fields={**FIELDS, **changes})


@pytest.mark.parametrize(
    ("at", "kind"),
    [
        (1687842007_123456789, pa.timestamp("ns")),
        (1687842007_123456, pa.timestamp("us", "Europe/Berlin")),
        (1687842007_123456, pa.timestamp("us", "UTC")),
        ("2023-06-27T05:00:07.123456Z", pa.string()),
        ("2023-06-27T05:00:07.123456Z", pa.dictionary(pa.int32(), pa.string())),
        (1687842007.123456, pa.float64()),
    ],
)
def test_a_row_becomes_a_request_log(tmp_path, at, kind):
    """Times of every kind, structs, numbers; NaN is absent, and columns that are not mapped are not read."""
    path = tmp_path / "a.parquet"
    write(path, 2, at=pa.array([at, at], kind), n=pa.array([12, None], pa.uint32()), s=[float("nan"), 0.25])
    first, second = read(source(path))[0]
    found = source(path).parse(first, source="s")
    assert found.occurred_at == datetime(2023, 6, 27, 5, 0, 7, 123456, UTC)
    assert (found.prompt, found.response_text, found.n_input_tokens, found.latency_ms) == ("q0", "a0", 12, None)
    again = source(path).parse(second, source="s")
    assert (again.n_input_tokens, again.latency_ms) == (None, 250.0)
    assert b"secret" not in first.raw


def test_batches_of_any_size_read_each_row_once(tmp_path):
    """Across row groups and files, from any position in between."""
    write(tmp_path / "a.parquet", 10)
    write(tmp_path / "b.parquet", 5, first=10)
    for max_rows in (1, 2, 3, 7, 100):
        batches = source(tmp_path / "*.parquet").read(None, max_rows=max_rows)
        first = next(batches)
        rest, position = read(source(tmp_path / "*.parquet"), json.loads(json.dumps(first.position)), max_rows=max_rows)
        found = [json.loads(row.raw)["q"] for row in (*first.rows, *rest)]
        assert found == [f"q{number}" for number in range(15)]
        assert [row.offset for row in (*first.rows, *rest)] == [*range(10), *range(5)]
        assert read(source(tmp_path / "*.parquet"), position or first.position)[0] == []


def test_a_renamed_file_is_known_and_one_written_anew_is_not(tmp_path):
    """Rotation reads nothing twice; a file replaced in place is read from its first row, also a shorter one."""
    path = tmp_path / "a.parquet"
    write(path, 5)
    _, position = read(source(tmp_path / "*.parquet"))
    path.rename(tmp_path / "old.parquet")
    write(path, 2, first=5)
    found, position = read(source(tmp_path / "*.parquet"), position)
    assert [json.loads(row.raw)["q"] for row in found] == ["q5", "q6"]
    write(path, 1, first=9)
    found, position = read(source(tmp_path / "*.parquet"), position)
    assert [json.loads(row.raw)["q"] for row in found] == ["q9"]
    (tmp_path / "old.parquet").unlink()
    write(path, 3, first=20)
    _, position = read(source(tmp_path / "*.parquet"), position)
    assert [state["rows"] for state in position["files"].values()] == [3]


def test_what_is_no_parquet_file_is_named_and_its_neighbours_are_read(tmp_path):
    """Text, an empty file, a file that is still being written, and one with a broken page."""
    write(tmp_path / "a.parquet", 3)
    whole = (tmp_path / "a.parquet").read_bytes()
    (tmp_path / "b.parquet").write_text('{"id": 1}\n')
    (tmp_path / "c.parquet").write_bytes(b"")
    (tmp_path / "d.parquet").write_bytes(whole[:-20])
    (tmp_path / "e.parquet").write_bytes(whole[:4] + b"\xff" * 200 + whole[204:])
    (tmp_path / "f.parquet").write_bytes(b"\xff" * 16 + b"PAR1")
    write(tmp_path / "g.parquet", 2, first=3)
    batches = source(tmp_path / "*.parquet").read(None, max_rows=10)
    first = next(batches)
    with pytest.raises(SourceUnavailableError) as caught:
        next(batches)
    assert [json.loads(row.raw)["q"] for row in first.rows] == [f"q{number}" for number in range(5)]
    told = str(caught.value).splitlines()
    assert [line.partition(": cannot be read as Parquet (")[0][-9:] for line in told] == [
        f"{name}.parquet" for name in "bcdef"
    ]
    (tmp_path / "d.parquet").write_bytes(whole)
    for name in "bcef":
        (tmp_path / f"{name}.parquet").unlink()
    assert len(read(source(tmp_path / "*.parquet"), first.position)[0]) == 3


def test_a_broken_row_is_quarantined_with_its_number(database, config, tmp_path):
    """Bytes that are not UTF-8 stay as they were, a row of 20 MiB is cut, and the neighbours load once."""
    broken = pa.array([b"ok", b"\xff\xfe", b"x" * (20 * 2**20), b"fine", b"new"]).view(pa.binary())
    texts = pa.Array.from_buffers(pa.string(), 5, broken.buffers())
    write(tmp_path / "a.parquet", 5, q=texts)
    settings = config(TOML)
    checked = CliRunner().invoke(main, ["sources", "check", "mine", "--config", str(tmp_path / "llmmon.toml")])
    assert "a.parquet, offset 1" in checked.output
    assert "would be quarantined: invalid_utf8" in checked.output
    assert "1 of 3 rows can be read; nothing was stored" in checked.output
    first = ingest_source(database, settings, "mine")
    assert (first.n_in, first.n_new, first.n_bad) == (5, 3, 2)
    assert [request.prompt for request in requests(database)] == ["ok", "fine", "new"]
    (utf8, huge) = quarantined(database)
    assert (utf8[:2], huge[:2]) == ((1, "invalid_utf8"), (2, "line_too_long"))
    assert b"\xff\xfe" in utf8[2]
    assert ingest_source(database, settings, "mine").n_in == 0


def test_infinity_and_times_out_of_range_are_refused(tmp_path):
    """Neither becomes another number, and neither stops its neighbours."""
    path = tmp_path / "a.parquet"
    at = pa.array([1687842007, 10**14, 1687842007], pa.timestamp("s"))
    write(path, 3, at=at, s=[float("inf"), 1.0, 2.0])
    codes = []
    for row in read(source(path))[0]:
        try:
            codes.append(source(path).parse(row, source="s").latency_ms)
        except BadRowError as error:
            codes.append(error.code)
    assert codes == ["malformed_json", "time_out_of_range", 2000.0]


def test_a_url_of_any_file_system_is_read(tmp_path):
    """fsspec's memory file system stands for buckets, which have no inodes."""
    path = tmp_path / "a.parquet"
    write(path, 4)
    system = fsspec.filesystem("memory")
    system.pipe("/logs/a.parquet", path.read_bytes())
    found, position = read(source("memory://logs/*.parquet"))
    assert len(found) == 4
    assert read(source("memory://logs/*.parquet"), position)[0] == []
    system.rm("/logs", recursive=True)


def test_a_large_row_group_is_not_held(tmp_path):
    """A first batch of a row group of 64 MiB needs a fraction of it."""
    path = tmp_path / "a.parquet"
    n = 2**14
    write(path, n, rows_per_group=n, q=[os.urandom(2**11).hex() for _ in range(n)])
    before = pa.total_allocated_bytes()
    rows = next(source(path).read(None, max_rows=100)).rows
    assert len(rows) == 100
    assert pa.total_allocated_bytes() - before < 16 * 2**20
