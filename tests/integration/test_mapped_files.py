"""House-made formats through mappings alone: hand-made rows, and the shipped examples on real files where they lie."""

from __future__ import annotations

import gzip
import hashlib
import os
from pathlib import Path

import pytest

from llmmon.config import load_config
from llmmon.errors import ConfigError, PluginError
from llmmon.model import Window
from llmmon.pipeline.ingest import ingest_source
from llmmon.pipeline.quickstart import config_reading
from llmmon.privacy.keys import master_key
from llmmon.store.request_log import window_requests

MAPPINGS = Path(__file__).parents[2] / "docs" / "mappings"
HEADER = "when,prompt tokens,question,who,fate\n"
CSV = """
[sources.mine]
gate = { max_null_fraction = {}, max_bad_fraction = 1.0 }
[sources.mine.read]
type = "mapped_csv"
path = "${here}/*.csv*"
[sources.mine.read.fields]
occurred_at = "when"
model = { value = "m" }
n_input_tokens = "prompt tokens"
prompt = "question"
error_type = { path = "fate", values = { 429 = "rate_limit" } }
latency_ms = { value = 7, when = "ok" }
tags = { who = "who" }
[deployments.m]
source = "mine"
"""


def requests(database, start="2023-06-27T05:00", deployment="m"):
    """Return what is stored of one hour, oldest first."""
    with database.transaction() as connection:
        return [request for _, request in window_requests(connection, deployment, Window.parse(start, hours=1))]


def quarantined(database):
    """Return offset, code and bytes of what could not be read."""
    with database.transaction() as connection:
        rows = connection.exec_driver_sql("SELECT byte_offset, code, raw FROM llmmon.quarantine ORDER BY 1").all()
    return [(row.byte_offset, row.code, master_key().open_quarantine(bytes(row.raw))) for row in rows]


@pytest.mark.parametrize("packed", [False, True])
def test_csv_is_mapped_and_followed(database, config, tmp_path, packed):
    """Quotes, absent values, renamed values, rows that cannot be read, and rows that come later in the same file."""
    lines = [
        '2023-06-27 05:00:00.1234567,12,"Why, ""now""?",ann,\n',
        "2023-06-27 05:00:01,,Really?,,429\n",
        "2023-06-27 05:00:02,many,x,ann,\n",
        "2023-06-27 05:00:03,1\n",
    ]

    def write(text):
        data = (HEADER + text).encode()
        path = tmp_path / ("log.csv.gz" if packed else "log.csv")
        path.write_bytes(gzip.compress(data, mtime=0) if packed else data)

    write("".join(lines))
    settings = config(CSV)
    first = ingest_source(database, settings, "mine")
    assert (first.n_in, first.n_new, first.n_bad) == (4, 2, 2)
    asked, failed = requests(database)
    assert (asked.prompt, asked.n_input_tokens, asked.tags, asked.latency_ms) == ('Why, "now"?', 12, {"who": "ann"}, 7)
    assert asked.occurred_at.isoformat() == "2023-06-27T05:00:00.123456+00:00"
    assert (failed.status, failed.error_type, failed.latency_ms, failed.n_input_tokens) == (
        "error",
        "rate_limit",
        None,
        None,
    )
    offset = len(HEADER) + len(lines[0]) + len(lines[1])
    assert quarantined(database) == [
        (offset, "wrong_type", (HEADER + lines[2]).strip().encode()),
        (offset + len(lines[2]), "malformed_csv", (HEADER + lines[3]).strip().encode()),
    ]
    write("".join(lines) + "2023-06-27 05:00:04,5,more,ann,\n" + "2023-06-27 05:00:05,6,to")
    second = ingest_source(database, settings, "mine")
    assert (second.n_in, second.n_new) == (1, 1)
    assert requests(database)[-1].prompt == "more"
    assert ingest_source(database, settings, "mine").n_in == 0


def test_json_lines_of_any_shape_are_mapped(database, config, jsonl, monkeypatch):
    """Nested paths, a template, seconds to milliseconds, Unix milliseconds, and the digest where there is no id."""
    monkeypatch.delenv("LLMMON_PRIVACY_KEY")
    text = (
        CSV.replace("mapped_csv", "mapped_jsonl").replace("*.csv*", "*.jsonl").partition("[sources.mine.read.fields]")
    )
    fields = """[sources.mine.read.fields]
occurred_at = { path = "at", unit = "ms" }
model = { template = "{vendor.name}-{vendor.models[0]}" }
prompt = "$.body.ask"
response_text = "body.say[0].text"
ttft_ms = { path = "first_s", scale = 1000 }
groups = { age = "who.age" }
[deployments.v-m1]
source = "mine"
[privacy]
redact = false
"""
    row = {
        "at": 1687842000000,
        "vendor": {"name": "v", "models": ["m1", "m2"]},
        "body": {"ask": "a", "say": [{"text": "b"}]},
        "first_s": 0.25,
        "who": {"age": "old"},
    }
    jsonl([row, row, {**row, "first_s": 0.5}, {**row, "vendor": {}}])
    result = ingest_source(database, config(text[0] + fields), "mine")
    assert (result.n_in, result.n_new, result.n_dup, result.n_bad) == (4, 2, 1, 1)
    first, second = requests(database, deployment="v-m1")
    assert (first.model, first.prompt, first.response_text, first.groups) == ("v-m1", "a", "b", {"age": "old"})
    assert {first.ttft_ms, second.ttft_ms} == {250.0, 500.0}
    assert first.request_id.startswith("sha256:")
    assert first.request_id != second.request_id


def test_without_an_id_a_line_is_known_by_a_keyed_digest_once_there_is_a_key(database, config, jsonl):
    """A plain digest would outlive an erasure and let anybody confirm a guess at the text."""
    fields = """
[sources.mine.read]
type = "mapped_jsonl"
path = "${here}/*.jsonl"
fields = {occurred_at = {path = "at", unit = "ms"}, model = "m", prompt = "ask", response_text = "say"}
[sources.mine.gate]
max_bad_fraction = 1.0
[deployments.m1]
source = "mine"
"""
    row = {"at": 1687842000000, "m": "m1", "ask": "a", "say": "b"}
    path = jsonl([row, row])
    result = ingest_source(database, config(fields), "mine")
    assert (result.n_new, result.n_dup) == (1, 1)
    (found,) = requests(database, deployment="m1")
    assert found.request_id.startswith("hmac-sha256:")
    assert hashlib.sha256(path.read_bytes().splitlines()[0]).hexdigest()[:32] not in found.request_id


def test_numbers_out_of_reach_are_quarantined(database, config, jsonl):
    """A step that leads out of the calendar, no step at all, and a count too large for any float stop nothing."""
    head = CSV.replace("mapped_csv", "mapped_jsonl").replace("*.csv*", "*.jsonl").partition("occurred_at")[0]
    fields = """occurred_at = { path = "step", start = "2023-06-27T05:00:00Z", step_s = 60 }
model = { value = "m" }
prompt = "ask"
n_input_tokens = "n"
[deployments.m]
source = "mine"
"""
    rows = [{"step": 1, "n": 1}, {"step": 1e300, "n": 1}, {"step": [], "n": 1}, {"step": 2, "n": 10**400}, {"n": 1}]
    jsonl([{"ask": "a", **row} for row in rows])
    result = ingest_source(database, config(head + fields), "mine")
    assert (result.n_in, result.n_new, result.n_bad) == (5, 1, 4)
    assert [code for _, code, _ in quarantined(database)] == [
        "time_out_of_range",
        "wrong_type",
        "number_out_of_range",
        "missing_timestamp",
    ]


def test_only_a_line_feed_ends_a_csv_row(database, config, tmp_path):
    """Other separators of Unicode are text."""
    (tmp_path / "log.csv").write_text(HEADER + "2023-06-27 05:00:00,1,one\u2028two\x85three,ann,\n", encoding="utf-8")
    assert ingest_source(database, config(CSV), "mine").n_new == 1
    assert requests(database)[0].prompt == "one\u2028two\x85three"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('colour = "c"', "no colour; there are: request_id, occurred_at"),
        ('prompt = { where = "c" }', "fields.prompt: no option where; there are: path, value, template"),
        ('prompt = { path = "a", value = "b" }', "fields.prompt: expected one of path, value, template"),
        ('prompt = "a..b"', "is no path; expected one such as"),
        ('ttft_ms = { path = "a", when = "late" }', "fields.ttft_ms.when: expected 'ok'"),
        ("groups = 3", "fields.groups: expected a table"),
        ('prompt = { path = "a", values = 3 }', "fields.prompt.values: expected a table of names, got 3"),
        ("prompt = { template = 3 }", "fields.prompt.template: expected text with paths in braces, got 3"),
    ],
)
def test_a_mapping_that_is_written_wrongly_is_told(database, config, line, words):
    """Before anything is read, with the field and what was expected."""
    settings = config(CSV.replace('tags = { who = "who" }', line).replace('prompt = "question"\n', ""))
    with pytest.raises((ConfigError, PluginError), match=words.split(";")[0].replace(".", r"\.")):
        ingest_source(database, settings, "mine")


def test_files_take_the_place_of_the_sources_paths(config):
    """What is named reads its file, and the other sources with their deployments are left alone."""
    settings = config(CSV)
    moved = config_reading(settings, ["day=1.csv"])
    assert moved.sources["mine"].read.parameters["path"] == "day=1.csv"
    assert moved.deployments == settings.deployments
    more = """
[sources.b]
read = { type = "openai_jsonl", path = "x" }
[sources.c]
read = { type = "postgres_table", url_env = "U", table = "t", key = "k", columns = {} }
[deployments.of-b]
source = "b"
[deployments.of-c]
source = "c"
"""
    several = config(CSV + more)
    both = config_reading(several, ["b=b.jsonl", "mine=day=1.csv"])
    assert {name: source.read.parameters["path"] for name, source in both.sources.items()} == {
        "b": "b.jsonl",
        "mine": "day=1.csv",
    }
    assert set(both.deployments) == {"m", "of-b"}
    for given, words in [
        (["x.csv"], r"3 sources \(mine, b, c\); expected NAME=FILE with one of these names, got 'x.csv'"),
        (["b=x", "b=y"], "b is given twice"),
        (["c=x"], "source c is a postgres_table, which reads no file"),
    ]:
        with pytest.raises(ConfigError, match=words):
            config_reading(several, given)


FILES = [
    ("azure_llm_2023", "traces_azure_2023/azure_conv.csv.gz", 19_366),
    ("llmperf_2023", "latency_llmperf_2023/requests.jsonl.gz", 1_945),
    ("llmdrift_2023", "drift_llmdrift_2023/prime.jsonl.gz", 2_000),
    ("llmdrift_2023", "drift_llmdrift_2023/happynumber.jsonl.gz", 1_000),
    ("llmdrift_2023", "drift_llmdrift_2023/opinionqa.jsonl.gz", 3_016),
    ("llmdrift_2023", "drift_llmdrift_2023/leetcode.jsonl.gz", 100),
    ("llmdrift_2023", "drift_llmdrift_2023/sensitiveq.jsonl.gz", 204),
]


@pytest.mark.skipif("LLMMON_DATA" not in os.environ, reason="LLMMON_DATA names no folder of public data")
@pytest.mark.parametrize(("mapping", "file", "n_rows"), FILES)
def test_public_files_load_whole_and_once(database, mapping, file, n_rows):
    """Every row is there after the first run, and a second run adds none."""
    settings = config_reading(load_config(MAPPINGS / f"{mapping}.toml"), [str(Path(os.environ["LLMMON_DATA"], file))])
    (source,) = settings.sources
    first = ingest_source(database, settings, source)
    assert (first.n_in, first.n_new, first.n_bad) == (n_rows, n_rows, 0)
    again = ingest_source(database, settings, source)
    assert (again.n_in, again.n_new) == (0, 0)
