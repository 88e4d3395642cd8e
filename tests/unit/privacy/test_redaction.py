"""Personal data is out before anything is stored, and a row that cannot be looked through does not get past."""

from __future__ import annotations

import time
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
    """Prompt, answer, document, reference answer, parameters, groups, tags and errors; the count says how often."""
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
            finish_reason=f"stop {secret}",
            error_type=f"unknown user {secret}",
        )
    )
    assert secret not in repr(found)
    assert found.redacted == {kind: 9}
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
    ],
)
def test_settings_that_cannot_be_used_are_told(changes, words):
    """Before a row is read."""
    with pytest.raises(ConfigError, match=words):
        redactor(**changes)


def test_without_a_key_nothing_is_redacted_and_nothing_is_read(monkeypatch):
    """Rows that cannot be redacted are kept sealed, so there must be something to seal them with."""
    monkeypatch.delenv("LLMMON_PRIVACY_KEY")
    with pytest.raises(ConfigError, match=r"LLMMON_PRIVACY_KEY is not set.*\[privacy\] redact = false"):
        Redactor(PrivacyConfig())
    assert not redactor(redact=False).is_on
    assert not redactor(redact=[]).is_on


@pytest.mark.parametrize(
    ("redact", "kinds"), [({}, TYPES), ({"redact": True}, TYPES), ({"redact": ["US_SSN"]}, ["US_SSN"])]
)
def test_all_types_are_replaced_unless_the_configuration_says_less(request_log, redact, kinds):
    """Redaction is on without a word in the configuration."""
    found = Redactor(PrivacyConfig.model_validate(redact)).redact(
        request_log(response_text=" and ".join(PIECES.values()))
    )
    assert set(found.redacted) == set(kinds)


DISGUISED = {
    "full-width digits": "\uff14\uff11\uff11\uff11 1111 1111 1111",
    "Arabic digits": "\u0664\u0661\u0661\u0661 1111 1111 1111",
    "an invisible space": "4111\u200b1111\u200b1111\u200b1111",
    "a soft hyphen": "41\u00ad11 1111 1111 1111",
    "a no-break space": "4111\u00a01111\u00a01111\u00a01111",
    "another hyphen": "4111\u20111111\u20121111\u20131111",
}


@pytest.mark.parametrize("secret", DISGUISED.values(), ids=DISGUISED)
def test_disguise_does_not_hide_a_number(request_log, secret):
    """The whole disguised stretch goes and what stands around it stays, also under patterns of one's own."""
    text = f"caf\u00e9 \U0001f600 {secret}\u3002 \uff21\uff22"
    assert redactor().redact(request_log(response_text=text)).response_text == text.replace(secret, "<CREDIT_CARD>")
    own = redactor(redact=[], patterns={"CARD": r"4111[ -]?1111[ -]?1111[ -]?1111"})
    assert own.redact(request_log(response_text=text)).response_text == text.replace(secret, "<CARD>")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("my card 2223003122003222 expired", "CREDIT_CARD"),
        ("Visa 4064557646766436702", "CREDIT_CARD"),
        ("Maestro 501864667909", "CREDIT_CARD"),
        ("pay to gb42nawi04454264788619 please", "IBAN_CODE"),
        ("They're not answering at 71-33-52-22", "PHONE_NUMBER"),
        ("call 699 956 915 tomorrow", "PHONE_NUMBER"),
        ("write to +447700 921 916", "PHONE_NUMBER"),
        ("fax 001-846-853-9089x92556", "PHONE_NUMBER"),
    ],
)
def test_reaches_further_than_presidio(text, kind):
    """Long card numbers, small letters, and telephone numbers of any country beside a word that says so."""
    assert [item.kind for item in find(text, [kind], min_confidence=0.4)][:1] == [kind]


@pytest.mark.parametrize(
    "text",
    [
        "4064557646766436703",
        "5018646679091",
        "gb42nawi44542647886189",
        "71-33-52-22 = -36",
        "x+447700921916",
        "1992-11-12 07:04",
    ],
)
def test_and_no_further(text):
    """A wrong check digit, arithmetic and a time are nobody's data."""
    assert find(text, TYPES, min_confidence=0.4) == []


def test_a_pattern_that_takes_too_long_stops_the_row_and_not_the_loader(request_log):
    """A pattern that backtracks for ever is given a second for a text; the row is quarantined, not stored."""
    slow = redactor(redact=[], patterns={"SLOW": r"(a|aa)+$"})
    started = time.monotonic()
    with pytest.raises(BadRowError) as caught:
        slow.redact(request_log(response_text="a" * 50 + "b"))
    assert caught.value.code == "redaction_failed"
    assert time.monotonic() - started < 5


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
