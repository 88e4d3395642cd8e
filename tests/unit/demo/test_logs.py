"""The committed demo logs agree with what their publishers computed on the same answers."""

from __future__ import annotations

import gzip
import itertools
import json
import re
from collections import Counter
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from llmmon.demo.paths import logs_folder

VOLUME = {"assistant-gpt4": 1584, "survey-gpt4": 1508, "survey-gpt35": 1508, "rag-unifiedqa": 2016}
CHANGE = "2023-06-27T12"


@cache
def rows(deployment: str) -> dict[str, list[dict[str, Any]]]:
    """Rows of each hour of `deployment`."""
    return {
        path.name.removesuffix(".jsonl.gz"): [json.loads(line) for line in gzip.open(path, "rt", encoding="utf-8")]
        for path in sorted((logs_folder() / deployment).glob("*.jsonl.gz"))
    }


def side(deployment: str, *, after: bool, route: str | None = None) -> list[dict[str, Any]]:
    """Rows before or after the change."""
    return [
        row
        for hour, members in rows(deployment).items()
        if (hour >= CHANGE) == after
        for row in members
        if route in (None, row["route"])
    ]


def answer(row: dict[str, Any]) -> str:
    return str(row["response"]["choices"][0]["message"]["content"])


def percent_correct(members: list[dict[str, Any]], pattern: str) -> float:
    """Share of answers whose last match of `pattern` is the reference's."""

    def last(text: str) -> str | None:
        found = re.findall(pattern, text, re.IGNORECASE)
        return found[-1].lower() if found else None

    n = sum(last(answer(row)) == (last(row["reference_answer"]) or row["reference_answer"]) for row in members)
    return round(100 * n / len(members), 1)


@pytest.mark.parametrize(("after", "expected"), [(False, 84.6), (True, 50.6)])
def test_accuracy_on_primes_is_the_published_one(after: bool, expected: float) -> None:
    """GPT-4 told primes from composites worse after the change, by exactly as much as the source says."""
    members = side("assistant-gpt4", after=after, route="primes")
    assert len(members) == 500
    assert percent_correct(members, r"\[(yes|no)\]") == expected


@pytest.mark.parametrize(("after", "expected"), [(False, 85.2), (True, 34.0)])
def test_accuracy_on_happy_numbers_is_the_published_one(after: bool, expected: float) -> None:
    """GPT-4 counted happy numbers worse after the change, by exactly as much as the source says."""
    members = side("assistant-gpt4", after=after, route="happy-numbers")
    assert len(members) == 250
    assert percent_correct(members, r"boxed\{(\d+)\}") == expected


@pytest.mark.parametrize(
    ("deployment", "after", "expected"),
    [
        ("survey-gpt4", False, 98.3),
        ("survey-gpt4", True, 23.2),
        ("survey-gpt35", False, 98.4),
        ("survey-gpt35", True, 98.8),
    ],
)
def test_survey_answers_with_an_option_as_often_as_published(deployment: str, after: bool, expected: float) -> None:
    """GPT-4 stopped answering the survey and GPT-3.5 did not."""
    members = side(deployment, after=after)
    n = sum(bool(re.match(r"\([A-Z]\)", answer(row))) for row in members)
    assert round(100 * n / len(members), 1) == expected


def test_unifiedqa_answers_worse_in_the_second_prompt_format() -> None:
    """Agreement with the right answer falls by several points in every category but stays far from chance."""

    def plain(text: str) -> str:
        return re.sub(r"[^a-z0-9 ]", "", text.lower()).strip()

    for category in ("age", "disability", "nationality", "appearance"):
        shares = []
        for after in (False, True):
            members = [row for row in side("rag-unifiedqa", after=after) if row["groups"]["category"] == category]
            assert len(members) == 252
            shares.append(sum(plain(answer(row)) == plain(row["reference_answer"]) for row in members) / 252)
        assert 0.5 < shares[1] < shares[0] - 0.03 < 0.8


@pytest.mark.parametrize("deployment", VOLUME)
def test_every_hour_has_the_same_volume_and_mix(deployment: str) -> None:
    """Fourteen windows whose sizes, and whose sizes by route, differ by at most one request on each side."""
    hours = rows(deployment)
    first = datetime.fromisoformat("2023-06-27T05:00:00+00:00")
    assert list(hours) == [f"{first + timedelta(hours=number):%Y-%m-%dT%H}" for number in range(14)]
    assert sum(map(len, hours.values())) == VOLUME[deployment]
    assert all(100 <= len(members) <= 150 for members in hours.values())
    mixes = [Counter(row["route"] for row in members) for members in hours.values()]
    for route in mixes[0]:
        sizes = [mix[route] for mix in mixes]
        assert max(sizes) - min(sizes) <= 1 + (route == "primes")


@pytest.mark.parametrize("deployment", VOLUME)
def test_times_rise_inside_their_hour(deployment: str) -> None:
    """Every request of a file is in the file's hour, later than the one before it."""
    for hour, members in rows(deployment).items():
        times = [row["timestamp"] for row in members]
        assert times == sorted(set(times))
        assert all(re.fullmatch(re.escape(hour) + r":\d\d:\d\d\.\d{6}Z", time) for time in times)


def test_arrivals_come_in_bursts() -> None:
    """Gaps between requests vary more than a clock's and are not all alike, as in the production trace."""
    stamps = [datetime.fromisoformat(row["timestamp"]) for row in rows("survey-gpt4")["2023-06-27T05"]]
    gaps = [(later - earlier).total_seconds() for earlier, later in itertools.pairwise(stamps)]
    mean = sum(gaps) / len(gaps)
    deviation = (sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) ** 0.5
    assert 0.7 < deviation / mean < 3


def test_identifiers_are_unique() -> None:
    """No two requests share an id, in any deployment."""
    seen = Counter(row["id"] for deployment in VOLUME for hour in rows(deployment).values() for row in hour)
    assert max(seen.values()) == 1


def test_both_sides_have_the_same_prompts() -> None:
    """Whatever changes at 12:00Z, it is not what was asked."""
    for deployment in VOLUME:
        asked = [
            Counter(
                json.dumps([row["tags"]["item"], row["request"], row["context"]])
                for row in side(deployment, after=after)
            )
            for after in (False, True)
        ]
        assert asked[0] == asked[1]


def test_the_served_version_is_never_named() -> None:
    """The logs say gpt-4 and gpt-3.5-turbo, never which dated version answered."""
    for path in logs_folder().glob("*/*.jsonl.gz"):
        text = gzip.decompress(path.read_bytes()).decode()
        assert set(re.findall(r"gpt-[\w.-]+", text)) <= {"gpt-4", "gpt-3.5-turbo"}
        assert not re.search(r"-0(301|314|613)\b", text)


def test_what_the_sources_lack_is_null() -> None:
    """UnifiedQA's latency, cost and tokens, prompt tokens and survey references are absent, not zero."""
    for row in side("rag-unifiedqa", after=False):
        assert row["latency_ms"] is row["cost_usd"] is row["response"]["usage"]["completion_tokens"] is None
        assert row["context"]
    for row in side("survey-gpt4", after=True):
        assert row["reference_answer"] is row["response"]["usage"]["prompt_tokens"] is None
        assert row["latency_ms"] > 0


def test_the_logs_are_small_and_their_bytes_reproducible() -> None:
    """At most 6 MB in all, and no gzip time stamp that would change on rebuilding."""
    files: list[Path] = list(logs_folder().glob("*/*.jsonl.gz"))
    assert sum(file.stat().st_size for file in files) <= 6_000_000
    assert {file.read_bytes()[4:8] for file in files} == {b"\0\0\0\0"}
