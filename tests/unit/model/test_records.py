"""Records refuse what would be a silent zero or NaN."""

from __future__ import annotations

import math

import pytest

from llmmon.model import Estimate, Provenance, ReplayItem, Response, Score, Segment, digest_of

ITEM = ReplayItem(
    sample_id=1,
    request_key=1,
    lane="reference",
    variant="as_logged",
    repeat=0,
    messages=(),
    documents=(),
    parameters={},
    seed=1,
)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_are_finite(value: float) -> None:
    """NaN and infinities never become a score or an estimate."""
    with pytest.raises(ValueError, match="an absent number is None with a reason"):
        Score(value=value)
    with pytest.raises(ValueError, match="an absent number is None with a reason"):
        Estimate(value=1.0, n=3, low=value)


def test_absent_needs_a_reason() -> None:
    """A missing value without a reason is refused; with one it is kept."""
    with pytest.raises(ValueError, match="needs a reason"):
        Estimate(value=None, n=0)
    with pytest.raises(ValueError, match="either a value or a reason"):
        Score()
    with pytest.raises(ValueError, match="either text or a reason"):
        Response(item=ITEM, backend="transformers", model="m", model_revision=None)

    assert Estimate.absent("empty window").reason == "empty window"


def test_segments_read_as_people_say_them() -> None:
    """The whole is `all`; a slice is dimension=value."""
    assert [str(Segment()), str(Segment(dimension="route", value="chat"))] == ["all", "route=chat"]


def test_provenance_digests_every_field() -> None:
    """Changing any field changes the digest; the same fields give the same one."""
    base = {"kind": "metrics", "plugin": "psi", "parameters": {"bins": 10}, "code_version": "1", "config_digest": "c"}
    digests = {Provenance(**base, **more).digest for more in ({}, {"seed": 1}, {"model_revision": "r"})}

    assert len(digests) == 3
    assert Provenance(**base).digest == Provenance(**dict(reversed(base.items()))).digest


def test_digest_of_is_canonical() -> None:
    """Key order does not matter; NaN is refused; SHA-256 of a known text agrees."""
    assert digest_of({"b": 1, "a": 2}) == digest_of({"a": 2, "b": 1})
    assert digest_of("abc").hex() == "6cc43f858fbb763301637b5af970e2a46b46f461f27e5a0f41e009c59b827b25"
    with pytest.raises(ValueError, match="not JSON compliant"):
        digest_of(math.nan)
