"""Connections from the environment, as Airflow writes them."""

from __future__ import annotations

import json

import pytest

from llmmon.channels.environment import connection_from_environment
from llmmon.errors import ConfigError

SECRET = "T0/B0/s3cr3t"


def test_json_and_uri_give_the_same_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both spellings of one SMTP connection are read alike."""
    given = {"conn_type": "smtp", "host": "mail.test", "port": 587, "login": "me", "password": "p@ss/word"}
    monkeypatch.setenv("AIRFLOW_CONN_MAIL", json.dumps({**given, "extra": {"from_email": "a@b.c"}}))
    monkeypatch.setenv("AIRFLOW_CONN_URI", "smtp://me:p%40ss%2Fword@mail.test:587/?from_email=a%40b.c")

    first, second = connection_from_environment("mail"), connection_from_environment("uri")

    assert first == second
    assert (first.host, first.port, first.login, first.password) == ("mail.test", 587, "me", "p@ss/word")
    assert first.extra == {"from_email": "a@b.c"}


def test_extra_may_be_json_in_a_string(monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow also writes extra as a JSON string, and in a URI as __extra__."""
    monkeypatch.setenv("AIRFLOW_CONN_A", json.dumps({"host": "h", "extra": '{"disable_ssl": true}'}))
    monkeypatch.setenv("AIRFLOW_CONN_B", "smtp://h/?__extra__=%7B%22disable_ssl%22%3A+true%7D")
    assert connection_from_environment("a").extra == connection_from_environment("b").extra == {"disable_ssl": True}


@pytest.mark.parametrize(
    "text",
    ["{" + SECRET, '["' + SECRET + '"]', SECRET, "http://h:" + SECRET + "port", '{"extra": [1], "password": "x"}'],
)
def test_what_cannot_be_read_is_named_without_its_value(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the variable and the two spellings; the secret is in neither message nor cause."""
    monkeypatch.setenv("AIRFLOW_CONN_LLMMON_SLACK", text)
    with pytest.raises(ConfigError, match="AIRFLOW_CONN_LLMMON_SLACK cannot be read") as caught:
        connection_from_environment("llmmon_slack")
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_a_missing_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """An unset connection says which variable to set."""
    monkeypatch.delenv("AIRFLOW_CONN_NOWHERE", raising=False)
    with pytest.raises(ConfigError, match="AIRFLOW_CONN_NOWHERE is not set"):
        connection_from_environment("nowhere")


def test_a_connection_shows_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """The password and the extra are left out of repr."""
    monkeypatch.setenv("AIRFLOW_CONN_S", json.dumps({"host": "h", "password": SECRET, "extra": {"token": SECRET}}))
    assert SECRET not in repr(connection_from_environment("s"))
