"""Personal data is out before anything is stored, and a row that cannot be looked through does not get past."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmmon.config import PrivacyConfig
from llmmon.errors import BadRowError, ConfigError
from llmmon.model import Document, Message, RequestLog
from llmmon.privacy.recognizers import TYPES, find
from llmmon.privacy.redaction import Redactor

PIECES = {
    "EMAIL_ADDRESS": "ann.lee@example.com",
    "CREDIT_CARD": "4111 1111 1111 1111",
    "IBAN_CODE": "DE89370400440532013000",
    "US_SSN": "078-05-1121",
    "IP_ADDRESS": "192.168.17.4",
    "PHONE_NUMBER": "+1 (425) 882-9026",
    "MAC_ADDRESS": "00:1B:44:11:3A:B7",
    "CRYPTO": "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2",
}


@pytest.fixture(autouse=True)
def _key(monkeypatch):
    monkeypatch.setenv("LLMMON_PRIVACY_KEY", "a key for tests, long enough")


def redactor(**changes):
    """Return a redactor of everything."""
    return Redactor(PrivacyConfig.model_validate({"redact": TYPES, **changes}))


@pytest.mark.parametrize("kind", TYPES)
def test_every_type_is_found_in_every_text(request_log, kind):
    """Prompt, answer, document, reference answer, parameters, groups and tags; the count says how often."""
    secret = PIECES[kind]
    found = redactor().redact(
        request_log(
            messages=(Message(role="user", content=f"My data: {secret} is it"),),
            documents=(Document(content=f"see {secret} here"),),
            response_text=f"You said {secret} before",
            reference_answer=secret,
            parameters={"stop": [f"x {secret} y"], "n": 1},
            groups={"who": secret},
            tags={"note": f"a {secret} b"},
        )
    )
    assert secret not in repr(found)
    assert found.redacted == {kind: 7}
    assert found.messages[0].content == f"My data: <{kind}> is it"
    assert found.parameters["n"] == 1


def test_what_holds_nothing_stays_as_it_is(request_log):
    """Arithmetic, times, versions and long numbers are nobody's data."""
    for text in (
        "Is 17077 a prime number? Think step by step.",
        "2641^2 + 17 = 6974898; 3.14159265358979",
        "version 1.2.3 of 2023-06-27T05:00:01Z, 12:30:45",
        "$1^2 + 9^2 = 82$ and 1000000007 is prime",
    ):
        request = request_log(messages=(Message(role="user", content=text),), response_text=text)
        assert redactor().redact(request) is request


def test_finds_that_overlap_go_as_a_whole_and_keys_that_become_alike_stay_two(request_log):
    """Nothing of either find is left, and no value is lost."""
    own = redactor(redact=[], patterns={"FIRST": "abc", "SECOND": "bcd+"})
    assert own.redact(request_log(response_text="x abcddd y")).response_text == "x <FIRST> y"
    found = redactor().redact(request_log(tags={"ann@example.com": "1", "bob@example.com": "2", "n": "3"}))
    assert sorted(found.tags.values()) == ["1", "2", "3"]
    assert "example" not in repr(found.tags)


def test_patterns_of_ones_own_are_replaced_by_their_name(request_log):
    """A configured pattern wins over nothing and is counted like the others."""
    own = redactor(redact=[], patterns={"EMPLOYEE_ID": r"E-\d{6}"})
    found = own.redact(request_log(response_text="Ask E-123456 or a@example.com"))
    assert found.response_text == "Ask <EMPLOYEE_ID> or a@example.com"
    assert found.redacted == {"EMPLOYEE_ID": 1}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"redact": ["SHOE_SIZE"]}, "privacy.redact: no SHOE_SIZE; there are: CREDIT_CARD"),
        ({"patterns": {"A": "("}}, "privacy.patterns.A: .* is no regular expression"),
        ({"patterns": {"A": "x*"}}, "matches the empty text"),
        ({"patterns": {"a b": "x"}}, "expected a name of capitals"),
    ],
)
def test_settings_that_cannot_be_used_are_told(changes, words):
    """Before a row is read."""
    with pytest.raises(ConfigError, match=words):
        redactor(**changes)


def test_without_a_key_nothing_is_redacted_and_nothing_is_read(monkeypatch):
    """Rows that cannot be redacted are kept sealed, so there must be something to seal them with."""
    monkeypatch.delenv("LLMMON_PRIVACY_KEY")
    with pytest.raises(ConfigError, match="LLMMON_PRIVACY_KEY is not set"):
        redactor()
    assert not redactor(redact=[]).is_on


def test_a_row_that_cannot_be_looked_through_is_refused(request_log):
    """A value of a kind that no text is makes looking fail; the row is not passed on as it was."""
    broken = request_log(messages=(Message(role="user", content=b"bytes a@example.com"),))  # type: ignore[arg-type]
    with pytest.raises(BadRowError) as caught:
        redactor().redact(broken)
    assert caught.value.code == "redaction_failed"
    assert "example.com" not in str(caught.value)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(st.sampled_from(sorted(PIECES.values())), st.text(max_size=12)), max_size=8))
def test_nothing_is_found_after_redaction_and_redacting_twice_is_redacting_once(words):
    """Whatever stands around the pieces."""
    everything = redactor()
    logged = RequestLog(
        source="logs",
        request_id="r",
        occurred_at=datetime(2023, 6, 27, tzinfo=UTC),
        deployment="d",
        model="m",
        messages=(Message(role="user", content=" ".join(words)),),
    )
    once = everything.redact(logged)
    assert find(once.messages[0].content, TYPES, min_confidence=0.4) == []
    assert everything.redact(once).messages == once.messages
