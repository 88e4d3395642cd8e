"""Rows are loaded once, gated, and every one of them is accounted for."""

from __future__ import annotations

import gzip
import json
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from llmmon.errors import AccountingError, ConfigError
from llmmon.model import Window
from llmmon.pipeline.gate import check, failures_of
from llmmon.pipeline.ingest import finish_ingest, ingest_source
from llmmon.pipeline.row_reader import RowReader
from llmmon.privacy.keys import master_key
from llmmon.store.coverage import StageCount, close_stage, event_windows, is_done, unfinished_windows
from llmmon.store.database import Database, fetch
from llmmon.store.request_log import window_requests

HOUR = timedelta(hours=1)
WINDOW = Window.parse("2023-06-27T05:00", hours=1)
CONTENT = """
    SELECT source, request_id, occurred_at, convert_from(content, 'UTF8'), encode(digest, 'hex')
      FROM llmmon.request_log JOIN llmmon.request_payload USING (request_key, occurred_at) ORDER BY request_id
"""
ACCOUNT = "SELECT sum(n_in), sum(n_new), sum(n_dup), sum(n_bad) FROM llmmon.ingest_batch WHERE state = 'loaded'"


def rows(database, query):
    """Run a query of the test's own."""
    with database.transaction() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(query).all()]


def test_a_record_comes_back_as_it_was_read(database, config, jsonl, line):
    """Every field survives the way through COPY, with quotes, backslashes, tabs and line ends."""
    text = 'a\\b\tc\nd\re "f" \\N \\. \u00e9 \U0001f600 \x01'
    first = line(
        1,
        context=[{"id": "d", "content": text}],
        groups={"age": text[:5]},
        tags={"t": "1"},
        tenant=text,
        reference_answer=text,
        ttft_ms=0.1,
        cost_usd=1e-9,
        feedback=-1,
        error={"type": text},
    )
    first["response"]["choices"][0]["message"]["content"] = text
    first["request"]["stop"] = [text]
    jsonl([first])
    ingest_source(database, config(), "logs")
    with database.transaction() as connection:
        ((key, found),) = window_requests(connection, "assistant", WINDOW)
    assert key > 0
    assert found.documents[0].content == found.tenant == found.response_text == found.error_type == text
    assert found.parameters == {"stop": [text]}
    assert (found.ttft_ms, found.cost_usd, found.feedback, found.n_input_tokens) == (0.1, 1e-9, -1.0, 8)
    assert found.groups == {"age": text[:5]}


def test_ingesting_twice_is_ingesting_once(database, config, jsonl):
    """The second run finds nothing new, and the same lines in another file are duplicates."""
    jsonl(50)
    settings = config()
    first = ingest_source(database, settings, "logs")
    assert (first.n_in, first.n_new, first.n_dup, first.n_bad) == (50, 50, 0, 0)
    before = rows(database, CONTENT)
    assert ingest_source(database, settings, "logs").n_in == 0
    jsonl(60, name="again.jsonl")
    second = ingest_source(database, settings, "logs")
    assert (second.n_in, second.n_new, second.n_dup) == (60, 10, 50)
    after = rows(database, CONTENT)
    assert len(after) == 60
    assert set(before) < set(after)
    assert rows(database, ACCOUNT) == [(110, 60, 50, 0)]


def test_every_row_of_a_poisoned_log_is_new_duplicate_or_quarantined(database, config, jsonl, line):
    """Broken lines are kept byte for byte with file, offset, code and reason; good ones around them are loaded."""
    poison = [b"{", b"\xff\xfe", b'{"id": NaN}', b"null", b"[" * 5000]
    good = [json.dumps(line(index)).encode() for index in range(5)]
    lines = [item for pair in zip(good, poison, strict=True) for item in pair] + [good[0], good[0]]
    path = jsonl(lines)
    result = ingest_source(database, config(), "logs")
    assert (result.n_in, result.n_new, result.n_dup, result.n_bad) == (12, 5, 2, 5)
    whole = path.read_bytes()
    kept = rows(database, "SELECT byte_offset, raw, code, reason, file FROM llmmon.quarantine ORDER BY byte_offset")
    opened = [master_key().open_quarantine(bytes(raw)) for _, raw, *_ in kept]
    assert opened == poison
    for (offset, _, _, reason, file), raw in zip(kept, opened, strict=True):
        assert whole[offset : offset + len(raw)] == raw
        assert reason
        assert file == str(path)
    assert [code for _, _, code, *_ in kept] == [
        "malformed_json",
        "invalid_utf8",
        "malformed_json",
        "wrong_type",
        "too_deep",
    ]


def test_an_id_logged_again_with_other_content_is_counted_in_the_audit(database, config, jsonl, line):
    """What was logged first stays, and the audit event says how many rows differed."""
    jsonl([line(1)], name="a.jsonl")
    ingest_source(database, config(), "logs")
    jsonl([line(1, latency_ms=1)], name="b.jsonl")
    ingest_source(database, config(), "logs")
    assert rows(database, "SELECT latency_ms FROM llmmon.request_log") == [(101.0,)]
    changed = rows(
        database, "SELECT detail ->> 'n_changed' FROM audit.trail WHERE event = 'batch.loaded' ORDER BY event_id"
    )
    assert changed == [("0",), ("1",)]


def test_a_batch_its_audit_event_and_its_cursor_are_one(database, config, jsonl):
    """Each loaded batch has one audit event with the same counts, and the cursor is where the batch ended."""
    jsonl(25)
    ingest_source(database, config().model_copy(update={"sources": small_batches(config(), 10)}), "logs")
    batches = rows(database, "SELECT batch_id, n_in FROM llmmon.ingest_batch ORDER BY batch_id")
    told = rows(
        database,
        "SELECT (detail ->> 'batch_id')::bigint, (detail ->> 'n_in')::bigint FROM audit.trail ORDER BY event_id",
    )
    assert [n for _, n in batches] == [10, 10, 5]
    assert told == batches
    ends = "SELECT to_position FROM llmmon.ingest_batch ORDER BY batch_id DESC LIMIT 1"
    assert rows(database, ends) == rows(database, "SELECT position FROM llmmon.source_cursor")


def small_batches(config, n):
    """Return the configured sources with at most `n` rows in a batch."""
    return {name: source.model_copy(update={"max_rows_per_batch": n}) for name, source in config.sources.items()}


def test_four_loaders_at_once_load_each_row_once(database_url, config, jsonl):
    """Concurrent loaders of one source share the work, or notice that another was faster."""
    jsonl(400)
    settings = config().model_copy(update={"sources": small_batches(config(), 20)})

    def load(_):
        opened = Database(database_url)
        try:
            return ingest_source(opened, settings, "logs")
        finally:
            opened.engine.dispose()

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(load, range(4)))
    database = Database(database_url)
    assert sum(result.n_new for result in results) == 400
    assert rows(database, ACCOUNT) == [(400, 400, 0, 0)]
    assert rows(database, "SELECT count(*), count(DISTINCT request_id) FROM llmmon.request_log") == [(400, 400)]
    database.engine.dispose()


def test_a_killed_loader_leaves_whole_batches_and_the_next_run_ends_the_same(
    database_url, make_database, template_url, config, jsonl, tmp_path
):
    """kill -9 in the middle of a load, then a run to the end, gives the tables of an undisturbed load."""
    jsonl(1500)
    settings = config().model_copy(update={"sources": small_batches(config(), 50)})
    (tmp_path / "llmmon.toml").write_text(
        (tmp_path / "llmmon.toml").read_text().replace("[sources.logs]", "[sources.logs]\nmax_rows_per_batch = 50")
    )
    code = (
        "import sys\nfrom pathlib import Path\nfrom llmmon.config import load_config\n"
        "from llmmon.pipeline.ingest import ingest_source\nfrom llmmon.store.database import Database\n"
        "ingest_source(Database(sys.argv[1]), load_config(Path(sys.argv[2])), 'logs')\n"
    )
    killed = Database(database_url)
    loader = subprocess.Popen([sys.executable, "-c", code, database_url, tmp_path / "llmmon.toml"])
    while not (n_before := rows(killed, "SELECT count(*) FROM llmmon.request_log")[0][0]):
        assert loader.poll() is None
        time.sleep(0.01)
    loader.send_signal(signal.SIGKILL)
    loader.wait()
    n_left = rows(killed, "SELECT count(*) FROM llmmon.request_log")[0][0]
    assert 0 < n_before <= n_left < 1500
    assert n_left % 50 == 0
    ingest_source(killed, settings, "logs")
    undisturbed = Database(make_database(template_url))
    ingest_source(undisturbed, settings, "logs")
    assert rows(killed, CONTENT) == rows(undisturbed, CONTENT)
    assert rows(killed, ACCOUNT) == rows(undisturbed, ACCOUNT) == [(1500, 1500, 0, 0)]
    for database in (killed, undisturbed):
        database.engine.dispose()


def test_a_gzipped_log_loads_like_a_plain_one(database, config, tmp_path, line):
    """The digest of a row does not depend on how the file was packed."""
    lines = b"".join(json.dumps(line(index)).encode() + b"\n" for index in range(10))
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(lines))
    assert ingest_source(database, config(), "logs").n_new == 10
    (tmp_path / "b.jsonl").write_bytes(lines)
    assert ingest_source(database, config(), "logs").n_dup == 10
    changed = "SELECT sum((detail ->> 'n_changed')::int) FROM audit.trail WHERE event = 'batch.loaded'"
    assert rows(database, changed) == [(0,)]


def test_the_gate_finds_missing_values_stale_rows_and_few_rows(database, config, jsonl, line):
    """Each limit of the gate is a Great Expectations expectation that can fail."""
    jsonl([line(index, response={}) for index in range(3)])
    settings = config()
    gate = settings.sources["logs"].gate

    def with_gate(**limits):
        source = settings.sources["logs"].model_copy(update={"gate": gate.model_copy(update=limits)})
        return settings.model_copy(update={"sources": {"logs": source}})

    batch = RowReader.of(settings, "logs").batch(
        [row for raw in RowReader.of(settings, "logs").source.read(None, max_rows=10) for row in raw.rows],
        from_position=None,
        to_position={},
    )
    for limits, words in [
        ({"max_null_fraction": {"response_text": 0.5}}, "100% of its requests have no response_text, at most 50% may"),
        ({"max_null_fraction": {"cost_usd": 0.4}}, "100% of its requests have no cost_usd, at most 40% may"),
        ({"max_null_fraction": {}, "max_age_days": 1.0}, "its newest request is .* days old, at most 24 h is expected"),
        ({"max_null_fraction": {}, "min_rows": 4}, "it has 3 rows, at least 4 are expected"),
    ]:
        (failure,) = failures_of(check(batch, with_gate(**limits).sources["logs"].gate, where="gate"))
        assert re.fullmatch(words, failure)
    with pytest.raises(ConfigError, match="max_null_fraction: no column answer"):
        ingest_source(database, with_gate(max_null_fraction={"answer": 0.1}), "logs")
    assert ingest_source(database, with_gate(max_null_fraction={}), "logs").n_new == 3
    result = rows(database, "SELECT gate FROM llmmon.ingest_batch WHERE state = 'loaded'")[0][0]
    assert result["success"] is True
    assert result["requests"]["meta"]["great_expectations_version"]


def test_rows_that_come_late_make_their_window_dirty(database, config, jsonl, line):
    """A window that was done is to be done again for every stage; its neighbour is not."""
    jsonl([line(0), line(3600)], name="a.jsonl")
    settings = config()
    ingest_source(database, settings, "logs")
    windows = event_windows(database, "assistant", HOUR)
    assert [window.key for window in windows] == ["2023-06-27T05:00:00", "2023-06-27T06:00:00"]
    for window in windows:
        assert finish_ingest(database, settings, "assistant", window).n_requests == 1
        with database.transaction() as connection:
            close_stage(connection, "assistant", window, "measure", [StageCount("done", 1)])
    jsonl([line(5, id="late"), line(3600)], name="b.jsonl")
    assert ingest_source(database, settings, "logs").n_dirty_windows == 1
    with database.transaction() as connection:
        for stage in ("ingest", "measure"):
            assert unfinished_windows(connection, "assistant", stage, length=HOUR) == [windows[0]]
            assert is_done(connection, "assistant", windows[1], stage)
        account = fetch(connection, "coverage/account", {"deployments": ["assistant"]})
    assert [(row.stage, row.state, row.closes) for row in account] == [
        ("ingest", "dirty", False),
        ("measure", "dirty", False),
        ("ingest", "done", True),
        ("measure", "done", True),
    ]
    assert finish_ingest(database, settings, "assistant", windows[0]).n_requests == 2


def test_an_account_that_does_not_close_is_refused(database, config, jsonl):
    """Counts that do not sum to the window's requests leave the account as it was."""
    jsonl(3)
    ingest_source(database, config(), "logs")
    counts = [StageCount("done", 1), StageCount("failed", 1, "no text")]
    wrong = pytest.raises(AccountingError, match=r"accounts for 2 of 3 requests \(done 1, failed 1\)")
    with wrong, database.transaction() as connection:
        close_stage(connection, "assistant", WINDOW, "score", counts)
    assert rows(database, "SELECT count(*) FROM llmmon.coverage") == [(0,)]


def test_requests_of_deployments_that_nobody_watches_are_stored_and_named(database, config, jsonl, line, caplog):
    """A deployment that llmmon.toml does not name is in the result and in the log."""
    jsonl([line(0), line(1, deployment="stranger")])
    assert ingest_source(database, config(), "logs").unwatched == {"stranger": 1}
    assert "stranger 1" in caplog.text


def test_an_unknown_source_is_a_configuration_error(database, config):
    """The error lists the sources there are."""
    with pytest.raises(ConfigError, match=r"no 'nowhere' in .*; there are: logs"):
        ingest_source(database, config(), "nowhere")
