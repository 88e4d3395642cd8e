"""The text of one audit event."""

from __future__ import annotations

import json

import pytest

import llmmon
from llmmon.audit.event import AuditEvent, actor, body


def test_body_is_canonical_json_with_who_and_how(monkeypatch: pytest.MonkeyPatch) -> None:
    """The body carries event, actor, subject, versions and detail with sorted keys and no spaces."""
    monkeypatch.setenv("LLMMON_ACTOR", "dag alert")

    text = body("alert.opened", "alert 7", {"z": 1, "a": [1.5, None]}, config_digest="c0ffee")

    assert text == (
        '{"actor":"dag alert","code_version":"' + llmmon.__version__ + '","config_digest":"c0ffee",'
        '"detail":{"a":[1.5,null],"z":1},"event":"alert.opened","subject":"alert 7"}'
    )


def test_two_spellings_of_one_fact_are_the_same_text() -> None:
    """The order of keys in the detail changes nothing."""
    first = body("x", "y", {"b": 2, "a": 1}, config_digest="")
    assert first == body("x", "y", {"a": 1, "b": 2}, config_digest="")


def test_what_postgres_refuses_is_replaced() -> None:
    """NUL and lone surrogates become the replacement character, in keys too."""
    text = AuditEvent(event="x", subject="a\0b", detail={"k\ud800": ["\udfff", "ok \U0001f600"]}).body(config_digest="")

    assert json.loads(text)["subject"] == "a\ufffdb"
    assert "\\u0000" not in text
    assert text.encode("utf-8").decode("utf-8") == text
    assert "ok \U0001f600" in text


@pytest.mark.parametrize("detail", [{"n": float("nan")}, {"n": float("inf")}, {"n": object()}, {"n": {1, 2}}])
def test_detail_that_is_not_json_is_refused(detail: dict[str, object]) -> None:
    """NaN, infinity and non-JSON values raise ValueError instead of reaching the trail."""
    with pytest.raises(ValueError, match=r"not JSON"):
        body("x", "y", detail, config_digest="")


def test_actor_falls_back_to_the_operating_system_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without LLMMON_ACTOR somebody is still named."""
    monkeypatch.setenv("LLMMON_ACTOR", "  ")
    assert actor()
