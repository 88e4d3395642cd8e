"""Any text and any bytes: a line is loaded whole, or cleaned and recorded, or refused; never lost and never a crash."""

from __future__ import annotations

import gzip
import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmmon.errors import BadRowError
from llmmon.model import RequestLog
from llmmon.sources.base import RawRow, sources
from llmmon.sources.files import read_new_lines
from llmmon.sources.json_text import read_object
from llmmon.sources.openai_jsonl import OpenaiJsonl
from tests.unit.sources.otlp import request_spans, span
from tests.unit.sources.test_langfuse_export import OBSERVATION
from tests.unit.sources.test_litellm_jsonl import PAYLOAD

ANY_TEXT = st.text(st.characters(codec=None), max_size=40)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=8,
)
SOURCE = OpenaiJsonl(path="logs.jsonl")


def parse(raw):
    """Parse one line."""
    return SOURCE.parse(RawRow(raw=raw, file="logs.jsonl", offset=0), source="s")


@given(prompt=ANY_TEXT, answer=ANY_TEXT, escaped=st.booleans())
def test_any_text_survives_or_is_recorded_as_cleaned(prompt, answer, escaped):
    """Text without NUL and lone surrogates arrives as it was; other text is storable and its field is named."""
    line = {
        "id": "r",
        "timestamp": 1687842000,
        "request": {"model": "m", "messages": [{"role": "user", "content": prompt}]},
        "response": {"choices": [{"message": {"content": answer}}]},
    }
    found = parse(json.dumps(line, ensure_ascii=escaped).encode("utf-8", "surrogatepass"))
    for sent, arrived, path in [
        (prompt, found.prompt, "request.messages[0].content"),
        (answer, found.response_text, "response.choices[0].message.content"),
    ]:
        joined = sent.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").replace("\0", "\ufffd")
        assert arrived == joined
        assert (path in found.cleaned) == (arrived != sent)
        assert "\0" not in arrived.encode().decode()


@given(raw=st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode("utf-8", "surrogatepass")))
def test_any_line_becomes_a_request_log_or_a_bad_row_with_a_reason(raw):
    """Nothing but BadRowError comes out of a broken line."""
    try:
        found: object = parse(raw)
    except BadRowError as error:
        found = error.code and error.reason
    assert isinstance(found, (RequestLog, str))
    assert found


@given(changes=st.dictionaries(st.sampled_from(["id", "timestamp", "request", "response", "error", "groups"]), JSON))
def test_any_value_in_any_field_is_read_or_refused(changes):
    """Fields of any JSON type do not break the reader, and what it accepts can be stored."""
    line = {
        "id": "r",
        "timestamp": 1687842000,
        "request": {"model": "m", "messages": [{"role": "user", "content": "q"}]},
        "response": {},
        **changes,
    }
    try:
        found = parse(json.dumps(line).encode())
    except BadRowError:
        return
    assert 0 < len(found.request_id) <= 512
    assert all(isinstance(value, str) for value in found.groups.values())
    for text in (found.request_id, found.model, found.response_text or "", *found.groups):
        assert "\0" not in text.encode().decode()


SPANS = [span(given.pop("attributes"), **given) for given in request_spans().values()]
LINES = {
    "otlp_json": [{"span": whole, "resource": {"attributes": []}} for whole in SPANS],
    "litellm_jsonl": [PAYLOAD, {**PAYLOAD, "status": "failure"}],
    "langfuse_export": [OBSERVATION, {"observation": OBSERVATION, "trace": {"user_id": "ann"}}],
}
SHAPES = st.sampled_from(
    ["role", "content", "parts", "message", "messages", "choices", "text", "values", "key", "value"]
)
SHAPED = st.recursive(
    JSON | st.sampled_from(["[", "{}", '[{"role": 1}]', '{"message": {}}', "9" * 30]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(SHAPES, inner, max_size=3),
    max_leaves=12,
)


def replaced(value, new, chance):
    """Return `value` with one of its parts, at any depth, replaced."""
    if isinstance(value, (dict, list)) and value and chance.random() < 0.85:
        key = chance.choice(list(value) if isinstance(value, dict) else range(len(value)))
        copied = value.copy()
        copied[key] = replaced(value[key], new, chance)
        return copied
    return new


@pytest.mark.parametrize("plugin", list(LINES))
@settings(max_examples=300)
@given(new=SHAPED, seed=st.integers(0, 2**32), choice=st.integers(0, 100))
def test_any_value_anywhere_in_a_row_is_read_or_refused(plugin, new, seed, choice):
    """Whatever stands wherever in a span, a payload or an observation, nothing but BadRowError comes out."""
    source = sources.create(plugin, {"path": "x"}, where="test")
    whole = LINES[plugin][choice % len(LINES[plugin])]
    row = json.dumps(replaced(whole, new, random.Random(seed))).encode()
    try:
        found = source.parse(RawRow(raw=row, file="x", offset=0), source="s")
    except BadRowError:
        return
    for text in (found.request_id, found.model, found.response_text or "", *(turn.content for turn in found.messages)):
        assert isinstance(text, str)
        assert "\0" not in text.encode().decode()


@given(value=st.dictionaries(ANY_TEXT, JSON, max_size=3))
def test_clean_objects_are_read_as_the_standard_library_reads_them(value):
    """Where nothing was cleaned, the fast reader and Python's agree."""
    raw = json.dumps(value).encode()
    try:
        found, cleaned = read_object(raw)
    except BadRowError:
        return
    if not cleaned:
        assert found == json.loads(raw)


@settings(max_examples=50, deadline=None)
@given(
    rows=st.lists(st.binary(max_size=12).filter(lambda raw: b"\n" not in raw and b"\r" not in raw), max_size=12),
    packed=st.booleans(),
    cuts=st.lists(st.integers(1, 200), max_size=3),
    max_rows=st.integers(1, 4),
)
def test_a_file_read_in_steps_gives_each_row_once_at_its_offset(tmp_path_factory, rows, packed, cuts, max_rows):
    """However a file grows between reads, the rows are its non-blank lines, once each and in order."""
    path = tmp_path_factory.mktemp("logs") / "a.jsonl"
    first = b'{"first": 1}'
    content = b"".join(row + b"\n" for row in [first, *rows])
    found, position = [], None
    for end in [*sorted(min(cut, len(content)) for cut in cuts), len(content)]:
        grown = content[:end]
        path.write_bytes(gzip.compress(grown, mtime=0) if packed else grown)
        for batch in read_new_lines(str(path), position, max_rows=max_rows):
            found += batch.rows
            position = json.loads(json.dumps(batch.position))
    once = {(row.offset, row.raw) for row in found}
    assert [raw for _, raw in sorted(once)] == [row for row in [first, *rows] if row.strip()]
    for offset, raw in once:
        assert content[offset : offset + len(raw)] == raw
