"""Group attributes that are not in the log."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from llmmon.config import GroupConfig
from llmmon.model import RequestLog
from llmmon.pipeline.configured_groups import with_groups


def groups(configured: dict[str, GroupConfig], **fields: Any) -> dict[str, str]:
    """Return the groups of a request with some fields."""
    request = RequestLog(
        source="s",
        request_id="1",
        occurred_at=datetime(2023, 6, 27, tzinfo=UTC),
        deployment="d",
        model="m",
        messages=(),
        **fields,
    )
    return dict(with_groups(request, configured).groups)


def test_a_field_becomes_a_group() -> None:
    """The value itself without a table; with one the listed values, the rest as `otherwise` or without attribute."""
    told = {"language": GroupConfig(field="language")}
    assert groups(told, language="de") == {"language": "de"}
    assert groups(told) == {}
    listed = {"plan": GroupConfig(field="tag.tier", values={"gold": "paying", "silver": "paying", "free": "free"})}
    assert groups(listed, tags={"tier": "silver"}) == {"plan": "paying"}
    assert groups(listed, tags={"tier": "lead"}) == {}
    other = {"region": GroupConfig(field="group.country", values={"fr": "EU"}, otherwise="elsewhere")}
    assert groups(other, groups={"country": "us"}) == {"country": "us", "region": "elsewhere"}
    assert groups(other) == {}  # not logged is not "elsewhere"


def test_what_is_logged_stands() -> None:
    """A configured attribute never replaces a logged one."""
    configured = {"age": GroupConfig(field="tenant")}
    assert groups(configured, tenant="acme", groups={"age": "old"}) == {"age": "old"}


def test_a_field_that_is_none_is_refused() -> None:
    """Only fields of a request that say who it is about, or from where."""
    with pytest.raises(ValidationError):
        GroupConfig(field="response_text")
