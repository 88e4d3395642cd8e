"""The language of mappings: where a row keeps each field."""

from __future__ import annotations

import pytest

from llmmon.errors import BadRowError
from llmmon.sources.mapping import compile_mapping

NEEDED = {"occurred_at": "at", "model": {"value": "m"}}


def field(spec, row, name="latency_ms"):
    """Return what one field becomes."""
    return compile_mapping({**NEEDED, name: spec})({"at": "2023-06-27", **row}, b"raw")[name]


@pytest.mark.parametrize(
    ("path", "row", "found"),
    [
        ("a.b[1]", {"a": {"b": [1, 2]}}, 2),
        ("$.a", {"a": 1}, 1),
        ('a["x.y"].b', {"a": {"x.y": {"b": 1}}}, 1),
        ('["x.y"]', {"x.y": 1}, 1),
        ('$["x.y"][0]', {"x.y": [1]}, 1),
        (["a", "b"], {"b": 0}, 0),
        (["a", "b"], {"a": "", "b": "x"}, "x"),
        (["a", "b"], {}, None),
    ],
)
def test_a_path_leads_to_its_value(path, row, found):
    """Names with dots stand in brackets and quotes; of several paths the first that leads to a value counts."""
    assert field({"path": path}, row, "route") == found


@pytest.mark.parametrize("path", ["", "a..b", ".a..", "a[", "a[x]", 'a["b]', 'a["b"]c', "[]", 3, [3], "a b]"])
def test_what_is_no_path_is_refused(path):
    """With the field's name, before anything is read."""
    with pytest.raises(ValueError, match=r"fields\.route: .* is no path"):
        compile_mapping({**NEEDED, "route": {"path": path}})


@pytest.mark.parametrize(
    ("options", "start", "end"),
    [
        ({}, 1687842007.25, 1687842008.5),
        ({}, "2023-06-27T05:00:07.250Z", "2023-06-27T07:00:08.5+02:00"),
        ({"unit": "ms"}, 1687842007250, "1687842008500"),
        ({"unit": "ns"}, "1687842007250000000", 1687842008500000000),
        ({"format": "%d.%m.%Y %H:%M:%S.%f"}, "27.06.2023 05:00:07.25", "27.06.2023 05:00:08.50"),
    ],
)
def test_a_duration_is_the_milliseconds_between_two_times(options, start, end):
    """However the log writes times."""
    assert field({"path": "end", "since": "start", **options}, {"start": start, "end": end}) == 1250.0
    assert field({"path": "end", "since": "start", **options}, {"start": start}) is None
    assert field({"path": "end", "since": "start", "scale": 2, **options}, {"start": start, "end": end}) == 2500.0


def test_nanoseconds_are_read_to_the_microsecond():
    """A float would be off by one now and then."""
    read = compile_mapping({**NEEDED, "occurred_at": {"path": "at", "unit": "ns"}})
    for micros in (123456, 999999, 1):
        moment = read({"at": str(1687842007 * 10**9 + micros * 1000 + 999)}, b"")["occurred_at"]
        assert moment == f"2023-06-27T05:00:07.{micros:06d}+00:00"


@pytest.mark.parametrize(
    ("start", "code"), [("never", "malformed_time"), (1e30, "time_out_of_range"), ([], "wrong_type")]
)
def test_a_duration_from_no_time_is_refused(start, code):
    """As a time of its own would be."""
    with pytest.raises(BadRowError) as caught:
        field({"path": "end", "since": "start"}, {"start": start, "end": 1687842008})
    assert caught.value.code == code


def test_only_a_number_is_a_duration():
    """A time or a text is none."""
    with pytest.raises(ValueError, match=r"fields\.route\.since: expected at one of n_input_tokens"):
        compile_mapping({**NEEDED, "route": {"path": "a", "since": "b"}})
