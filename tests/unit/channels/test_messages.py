"""What Slack and e-mail are sent, with names from hostile logs."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import default

import pytest

from llmmon.channels.email import Email, message
from llmmon.channels.slack_webhook import SlackWebhook, payload
from llmmon.model import Alert, Window

HOSTILE = "=cmd|'/c calc'!A1 <!channel> <@U1> <script>alert(1)</script> & *b* \r\nBcc: evil@example.com\r\n\r\nbody"


def alert(title: str = "survey: refusal rate rose", sentence: str = "It rose.") -> Alert:
    """Return an alert with this title and sentence."""
    start = datetime(2023, 6, 27, 12, tzinfo=UTC)
    return Alert(
        alert_id=7,
        deployment="survey",
        monitor="refusal-rate",
        segment="all",
        window=Window(start=start, end=start + timedelta(hours=1)),
        severity="critical",
        title=title,
        sentence=sentence,
        opened_at=start,
    )


def test_slack_reads_no_command_in_text_from_outside() -> None:
    """Untrusted text stands in plain_text blocks, the notification text is escaped, and nothing unfurls."""
    message = payload(alert(HOSTILE, HOSTILE), link="https://llmmon.test/alerts/7", dedupe_key="abc-slack")

    assert "<" not in message["text"]
    assert "&lt;!channel&gt;" in message["text"]
    assert (message["unfurl_links"], message["unfurl_media"]) == (False, False)
    texts = [block["text"] for block in message["blocks"] if "text" in block]
    texts += [element for block in message["blocks"] for element in block.get("elements", []) if "url" not in element]
    assert {text["type"] for text in texts} == {"plain_text"}
    assert "mrkdwn" not in json.dumps(message)
    assert "abc-slack" in json.dumps(message["blocks"][-1])
    assert message["blocks"][2]["elements"][0]["url"] == "https://llmmon.test/alerts/7"


def test_slack_texts_keep_to_its_limits() -> None:
    """Headers are at most 150 characters and sections at most 3000."""
    message = payload(alert("x" * 500, "y" * 9000), link=None, dedupe_key="abc")
    assert len(message["blocks"][0]["text"]["text"]) == 150
    assert len(message["blocks"][1]["text"]["text"]) == 3000
    assert [block["type"] for block in message["blocks"]] == ["header", "section", "context"]


def test_mail_headers_stay_on_their_line_and_html_is_escaped() -> None:
    """A CR LF in a title makes no new header, a script no element, and the Message-ID comes from the dedupe key."""
    mail = message(
        alert(HOSTILE, HOSTILE),
        sender="llmmon@example.com",
        to=["on-call@example.com"],
        link='https://llmmon.test/alerts/7?"x',
        dedupe_key="abc-email",
    )

    parsed = message_from_bytes(mail.as_bytes(), policy=default)
    assert parsed["Bcc"] is None
    assert "Bcc: evil@example.com" in parsed["Subject"]
    assert parsed["Subject"].startswith("[critical] =cmd")
    assert parsed["Message-ID"] == "<abc-email@example.com>"
    assert parsed["To"] == "on-call@example.com"
    page = parsed.get_body(("html",)).get_content()
    assert "<script>" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert 'href="https://llmmon.test/alerts/7?&quot;x"' in page
    assert "abc-email" in parsed.get_body(("plain",)).get_content()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"connection": None, "to": ["a@b.c"]}, "name of an Airflow connection"),
        ({"connection": "smtp", "to": []}, "list of addresses"),
        ({"connection": "smtp", "to": "a@b.c"}, "list of addresses"),
        ({"connection": "smtp", "to": ["a@b.c\r\nBcc: d@e.f"]}, "list of addresses"),
        ({"connection": "smtp", "to": ["a@b.c"], "from_email": "nobody"}, "from_email is 'nobody'"),
    ],
)
def test_mail_refuses_impossible_parameters(parameters: dict[str, object], message: str) -> None:
    """A missing connection, no recipient and a header injection raise ValueError."""
    with pytest.raises(ValueError, match=message):
        Email(**parameters)  # type: ignore[arg-type]


def test_slack_refuses_impossible_parameters() -> None:
    """A missing connection and a timeout of zero raise ValueError."""
    with pytest.raises(ValueError, match="slackwebhook"):
        SlackWebhook(connection="")
    with pytest.raises(ValueError, match="timeout_s is 0"):
        SlackWebhook(connection="slack", timeout_s=0)
