"""What an alert says."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from llmmon.model import Estimate, Evidence, Measurement, Window
from llmmon.pipeline.alert_sentence import amount, sentence_of, title_of

START = datetime(2023, 6, 27, 12, tzinfo=UTC)
WINDOW = Window(start=START, end=START + timedelta(hours=1))
MEASURED = Measurement(
    deployment="survey-gpt4",
    monitor="refusal-rate",
    segment="all",
    window=WINDOW,
    estimate=Estimate(value=0.769, n=1080, low=0.681, high=0.839),
    unit="0/1",
)
FOUND = Evidence(window=WINDOW, e_value=2332.7, relevant=True, value=0.769, reference_value=0.017, effect=0.752)


def test_a_rate_is_told_in_percent_with_interval_place_time_and_chance() -> None:
    """The sentence is the one in the guide, word by word."""
    assert sentence_of(MEASURED, FOUND) == (
        "survey-gpt4: refusal rate rose from 1.7% to 76.9% (95% interval 68.1 to 83.9%, n = 1,080) in all traffic "
        "at 12:00 UTC on 27 June 2023; the chance of this if nothing had changed is below 1 in 2,000."
    )
    assert title_of(MEASURED, FOUND) == "survey-gpt4: refusal rate rose from 1.7% to 76.9%"


def test_a_segment_is_named_and_an_absent_interval_is_said() -> None:
    """A group is named by its attribute and value; without interval the sentence says why."""
    measured = replace(
        MEASURED, segment="group.age=old = wise", estimate=Estimate(value=0.5, n=12, reason="too few"), unit="words"
    )
    found = replace(FOUND, value=2.0, reference_value=471.2, e_value=1e9)
    assert sentence_of(measured, found) == (
        "survey-gpt4: refusal rate fell from 471 words to 2 words (no interval: too few, n = 12) "
        "where age is old = wise at 12:00 UTC on 27 June 2023; "
        "the chance of this if nothing had changed is below 1 in 1,000,000."
    )


def test_a_gap_between_groups_is_told_in_points() -> None:
    """A difference of rates is no rate: points, not percent; a ratio has no unit."""
    measured = replace(
        MEASURED,
        monitor="group-gap",
        unit="difference of rates",
        estimate=Estimate(value=-0.3, n=120, low=-0.45, high=-0.1),
    )
    found = replace(FOUND, value=-0.3, reference_value=0.01)
    assert (
        "group gap fell from 1.0 points to -30.0 points (95% interval -45.0 to -10.0 points, n = 120)"
        in sentence_of(measured, found)
    )
    ratio = replace(
        MEASURED, monitor="impact-ratio", unit="ratio", estimate=Estimate(value=0.5, n=9, low=0.3, high=0.8)
    )
    assert title_of(ratio, replace(FOUND, value=0.5, reference_value=0.91)).endswith(
        "impact ratio fell from 0.91 to 0.5"
    )


def test_a_broken_promise_names_its_limit() -> None:
    """An SLO alert speaks of the limit, not of a change."""
    measured = replace(MEASURED, monitor="latency-slo", unit="ms")
    found = replace(
        FOUND, value=130500.0, reference_value=120000.0, detail={"limit": 120000.0, "worse": "above"}, e_value=25.0
    )
    assert title_of(measured, found) == "survey-gpt4: latency slo is 130 s, above the limit of 120 s"
    assert sentence_of(measured, found).endswith("is below 1 in 20.")


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.0, "share of requests", "0.0%"),
        (1.0, "0/1", "100.0%"),
        (999.4, "ms", "999 ms"),
        (5730.1, "ms", "5.73 s"),
        (0.0139, "USD", "0.0139 USD"),
        (-0.25, "score difference", "-0.25 score difference"),
        (12345.6, "requests", "12,346 requests"),
        (0.0, "words", "0 words"),
        (100.0, "words", "100 words"),
        (1e-9, "nats", "0.000000001 nats"),
        (0.625, "ratio", "0.625"),
        (-0.123, "difference of rates", "-12.3 points"),
    ],
)
def test_amounts_are_written_as_people_write_them(value: float, unit: str, text: str) -> None:
    """Shares are percent, long times are seconds, everything else has three digits."""
    assert amount(value, unit) == text


def test_names_from_logs_stay_on_one_short_line() -> None:
    """Control characters become spaces, and an endless name is cut."""
    measured = replace(MEASURED, segment="route=a\r\nb\x00" + "x" * 500)
    title = title_of(measured, FOUND)
    assert title.isprintable()
    assert "a  b xx" in title
    assert len(title) < 160
