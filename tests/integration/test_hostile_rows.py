"""Every source of lines meets the same hostile corpus: rows are loaded whole, or quarantined; nothing else happens."""

from __future__ import annotations

import gzip
import json
import os
from dataclasses import dataclass, field
from typing import Any

import pytest

from llmmon.errors import SourceUnavailableError
from llmmon.pipeline.ingest import ingest_source
from llmmon.sources.base import sources
from tests.conftest import make_line
from tests.integration.test_mapped_files import quarantined
from tests.unit.sources.otlp import line, span
from tests.unit.sources.test_langfuse_export import OBSERVATION
from tests.unit.sources.test_litellm_jsonl import PAYLOAD

FIELDS = {"request_id": "id", "occurred_at": "at", "model": "model", "prompt": "q", "n_input_tokens": "n"}
TOML = """
[sources.s]
gate = {{ max_bad_fraction = 1.0, max_null_fraction = {{}} }}
read = {{ type = "{plugin}", deployment = "d", path = "${{here}}/logs*"{fields} }}
[deployments.d]
source = "s"
"""


@dataclass(frozen=True)
class Format:
    """How a plug-in's rows are written: a text with the word MARK, and a number 424242."""

    row: Any
    parameters: dict[str, Any] = field(default_factory=dict)
    header: bytes = b""
    number: bytes = b"424242"
    has_json: bool = True


def openai_row(n):
    """Return a line of OpenAI's shape."""
    row = make_line(n)
    row["request"]["messages"][0]["content"] = "MARK"
    row["response"]["usage"]["prompt_tokens"] = 424242
    return json.dumps(row).encode()


def span_row(n):
    """Return a line with one span."""
    call = {
        "openinference.span.kind": "LLM",
        "llm.model_name": "m",
        "input.value": "MARK",
        "llm.token_count.prompt": 424242,
    }
    return line(span(call, n))


def litellm_row(n):
    """Return a payload of LiteLLM."""
    messages = [{"role": "user", "content": "MARK"}]
    return json.dumps({**PAYLOAD, "id": f"c-{n}", "messages": messages, "prompt_tokens": 424242}).encode()


def langfuse_row(n):
    """Return an observation of Langfuse."""
    return json.dumps({**OBSERVATION, "id": f"o-{n}", "input": "MARK", "usageDetails": {"input": 424242}}).encode()


def house_row(n):
    """Return a line of a house-made format."""
    return json.dumps({"id": f"r-{n}", "at": "2023-06-27", "model": "m", "q": "MARK", "n": 424242}).encode()


FORMATS = {
    "openai_jsonl": Format(openai_row),
    "otlp_json": Format(span_row, number=b'"424242"'),
    "litellm_jsonl": Format(litellm_row),
    "langfuse_export": Format(langfuse_row),
    "mapped_jsonl": Format(house_row, {"fields": FIELDS}),
    "mapped_csv": Format(
        lambda n: b"r-%d,2023-06-27,m,MARK,424242" % n, {"fields": FIELDS}, b"id,at,model,q,n", has_json=False
    ),
}
LOADED, CLEANED = "loaded", "cleaned"


def corpus(log: Format) -> list[tuple[str, bytes]]:
    """Return pairs of what becomes of a row and the row; numbers are those of the rows."""
    found: list[tuple[str, bytes]] = []

    def add(fate, change):
        found.append((fate, change(log.row(1000 + len(found)))))

    def mark(value):
        return lambda row: row.replace(b"MARK", value)

    def number(value):
        return lambda row: row.replace(log.number, value)

    add("invalid_utf8", mark(b"\xff\xfe"))
    add(LOADED, mark("\u00e9\u2028\U0001f600".encode()))
    add("line_too_long", mark(b"x" * (20 * 2**20)))
    add(LOADED, mark(b"x" * 2**20))
    add("number_out_of_range", number(b"1e999"))
    add("number_out_of_range", number(b"9" * 5000))
    add("number_out_of_range", number(b"-1"))
    add("number_out_of_range", number(b"4294967296"))
    add("wrong_type", number(b'"many"' if log.has_json else b"many"))
    if not log.has_json:
        add("malformed_csv", mark(b"\0"))
        add("number_out_of_range", number(b"NaN"))
        add("number_out_of_range", number(b"Infinity"))
        add("malformed_csv", lambda row: row + b",one more")
        add("malformed_csv", mark(b'"open'))
        return found
    add("malformed_json", lambda row: row[:-1])
    add("malformed_json", lambda row: row + b"}")
    add("malformed_json", mark(b"\0"))
    add(CLEANED, mark(b"\\u0000"))
    add(CLEANED, mark(b"\\ud800"))
    add(CLEANED, mark(b"\xed\xa0\x80"))
    add(LOADED, mark(b"\\ud83d\\ude00"))
    for value in (b"NaN", b"Infinity", b"-Infinity"):
        add("malformed_json", number(value))
    add("too_deep", number(b"[" * 50_000 + b"]" * 50_000))
    add("too_deep", number(b'{"a":' * 50_000 + b"1" + b"}" * 50_000))
    add(LOADED, lambda row: row.replace(b"{", b'{"unknown": [{"field": null}], ', 1))
    add(LOADED, lambda row: b"\xef\xbb\xbf" + row)
    return found


@pytest.mark.parametrize("plugin", list(FORMATS))
def test_a_hostile_row_is_quarantined_and_its_neighbours_load(database, config, tmp_path, plugin):
    """With its offset, its code and its bytes; a second load adds nothing."""
    log = FORMATS[plugin]
    lines, fates = [log.header] if log.header else [], {}
    n_good = 0
    for number, (fate, row) in enumerate([*corpus(log), (LOADED, log.row(1)), (LOADED, log.row(1))]):
        for good in (log.row(number), row):
            start = sum(map(len, lines)) + len(lines)
            lines.append(good)
            if good is row and fate not in (LOADED, CLEANED):
                fates[start] = (fate, row)
            else:
                n_good += 1
    content = b"\n".join(lines) + b"\n"
    (tmp_path / "logs.txt").write_bytes(content)
    settings = config(TOML.format(plugin=plugin, fields=_inline(log.parameters)))
    result = ingest_source(database, settings, "s")
    waiting = quarantined(database)
    codes = {_line_start(content, offset): code for offset, code, _ in waiting}
    assert codes == {start: code for start, (code, _) in fates.items()}
    # row 1 stands there three times
    assert (result.n_in, result.n_new, result.n_dup, result.n_bad) == (
        len(lines) - bool(log.header),
        n_good - 2,
        2,
        len(fates),
    )
    assert result.passed_over == {}
    for offset, code, raw in waiting:
        row = fates[_line_start(content, offset)][1]
        kept = raw.removeprefix(log.header + b"\n") if log.header else raw
        if code == "line_too_long":
            assert row.startswith(kept)
            assert len(kept) > 16 * 2**20
        else:
            assert kept == row or plugin == "otlp_json"
    with database.transaction() as connection:
        n_cleaned = connection.exec_driver_sql("SELECT count(*) FROM llmmon.request_log WHERE cleaned <> '{}'").scalar()
        (cut,) = connection.exec_driver_sql(
            "SELECT reason FROM llmmon.quarantine WHERE code = 'line_too_long'"
        ).scalars()
    assert n_cleaned == sum(fate == CLEANED for fate, _ in corpus(log))
    assert "SHA-256" in cut
    assert ingest_source(database, settings, "s").n_in == 0


@pytest.mark.parametrize("plugin", [name for name, log in FORMATS.items() if log.has_json])
@pytest.mark.parametrize("row", [b"[]", b"[[]]", b"3", b'"text"', b"null", b"true", b"{}", b'{"resourceSpans": 3}'])
def test_a_line_of_another_type_is_refused(tmp_path, plugin, row):
    """A list, a number, a text, nothing, and an object that holds nothing that is known; an empty list is no row."""
    log = FORMATS[plugin]
    (tmp_path / "logs.txt").write_bytes(log.row(1) + b"\n" + row + b"\n" + log.row(2) + b"\n")
    source, found = _read(plugin, tmp_path / "logs.txt")
    first, *odd, last = (_fate(source, row) for row in found)
    assert (first, last) == (LOADED, LOADED)
    assert odd == ([] if (plugin, row) == ("langfuse_export", b"[]") else [odd[0]])
    assert not odd or odd[0] not in (LOADED, "not_a_request")


FILES = [*FORMATS, "mapped_parquet"]


def _read(plugin, path, position=None):
    log = FORMATS.get(plugin, FORMATS["mapped_jsonl"])
    source = sources.create(plugin, {"path": str(path), **log.parameters}, where="test")
    found = []
    for batch in source.read(position, max_rows=10):
        found += batch.rows
    return source, found


def _fate(source, row):
    from llmmon.errors import BadRowError

    try:
        source.parse(row, source="s")
    except BadRowError as error:
        return error.code
    return LOADED


@pytest.mark.parametrize("plugin", FILES)
def test_what_is_no_file_of_lines_is_named(tmp_path, plugin):
    """A directory, nothing there, and for Parquet an empty file and text: one error that names it and what to do."""
    (tmp_path / "folder").mkdir()
    wrong = [(tmp_path / "folder", "is a directory"), (tmp_path / "none", "no such file")]
    if plugin == "mapped_parquet":
        for name, content in (("empty", b""), ("text", b"{}\n")):
            (tmp_path / name).write_bytes(content)
            wrong.append((tmp_path / name, "cannot be read as Parquet"))
    for path, words in wrong:
        with pytest.raises(SourceUnavailableError, match=words) as caught:
            _read(plugin, path)
        assert str(path) in str(caught.value)


@pytest.mark.parametrize("plugin", list(FORMATS))
def test_a_file_is_what_it_holds_and_not_what_it_is_called(tmp_path, plugin):
    """Plain text named .gz, gzip named .jsonl, an empty file, blank lines, and gzip that breaks off."""
    log = FORMATS[plugin]
    rows = [log.row(n).replace(b"MARK", os.urandom(50).hex().encode()) for n in range(200)]
    content = b"\n".join([*([log.header] if log.header else []), *rows, b""])
    for name, packed in (("a.jsonl.gz", content), ("a.jsonl", gzip.compress(content))):
        (tmp_path / name).write_bytes(packed)
        source, found = _read(plugin, tmp_path / name)
        assert [_fate(source, row) for row in found] == [LOADED] * 200
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "blank").write_bytes(b"\n\r\n  \n")
    assert _read(plugin, tmp_path / "empty")[1] == []
    assert _read(plugin, tmp_path / "blank")[1] == []
    packed = gzip.compress(content)
    (tmp_path / "cut.gz").write_bytes(packed[: len(packed) // 2])
    with pytest.raises(SourceUnavailableError, match="broken or cut short"):
        _read(plugin, tmp_path / "cut.gz")


def _line_start(content: bytes, offset: int) -> int:
    return content.rfind(b"\n", 0, offset) + 1


def _inline(parameters: dict[str, Any]) -> str:
    fields = ", ".join(f'{name} = "{path}"' for name, path in parameters.get("fields", {}).items())
    return f", fields = {{ {fields} }}" if fields else ""
