"""The anchorer: what it signs, where it sends it, and what it refuses."""

from __future__ import annotations

import json
from datetime import timedelta
from email import message_from_bytes
from email.policy import default

import pytest
from sqlalchemy.engine import make_url

from llmmon.audit.checkpoint import SigningKey
from llmmon.audit.offline_verifier import head_of
from llmmon.channels.base import Notice
from llmmon.channels.folder import Folder
from llmmon.config import load_anchorer_config
from llmmon.errors import ConfigError, DeliveryError, LedgerError, StoreError
from llmmon.pipeline.seal import seal
from llmmon.store import ledger
from llmmon.store.database import Database
from llmmon.store.roles import create_login
from tests.integration.ledger.conftest import KEY, NOW, append

CHAT_AND_MAIL = """
[channels.chat]
type = "slack_webhook"
connection = "llmmon_slack"
[channels.mail]
type = "email"
connection = "llmmon_smtp"
to = ["auditor@example.com"]
[deliver]
chat = 0
mail = 60
"""


def test_a_head_reaches_slack_and_mail_and_comes_back_whole(database, make_anchorer, inbox):
    """What was received verifies as it is; each channel has its own pace; what was sent is noted in the database."""
    box, resolve = inbox
    append(database, 5)
    seal(database)
    anchorer = make_anchorer(database, text=CHAT_AND_MAIL, resolve=resolve)
    assert anchorer.look(NOW).sent_to == ("chat", "mail")
    assert anchorer.look(NOW).sent_to == ()
    append(database, 2)
    seal(database)
    assert anchorer.look(NOW + timedelta(minutes=30)).sent_to == ("chat",)
    assert anchorer.look(NOW + timedelta(minutes=61)).sent_to == ("mail",)
    posted = [post["blocks"][1]["text"]["text"] for _, post in box.posts]
    mailed = [message_from_bytes(raw, policy=default) for raw in box.mails]
    assert [head_of(note, KEY.public)[0] for note in posted] == [5, 7]
    assert [head_of(mail.get_content(), KEY.public)[0] for mail in mailed] == [5, 7]
    assert mailed[0]["Subject"] == "Audit ledger: 5 events signed"
    with database.transaction() as connection:
        noted = connection.exec_driver_sql(
            "SELECT size, channel, checkpoint FROM audit.anchor ORDER BY anchor_id"
        ).all()
    assert [(row.size, row.channel) for row in noted] == [(5, "chat"), (5, "mail"), (7, "chat"), (7, "mail")]
    assert {row.checkpoint for row in noted} == set(posted)


def test_a_channel_that_is_down_is_tried_again(database, make_anchorer, inbox):
    """The other one is not kept waiting, and a restart forgets nothing."""
    box, resolve = inbox
    append(database, 5)
    seal(database)
    box.status = 503
    result = make_anchorer(database, text=CHAT_AND_MAIL, resolve=resolve).look(NOW)
    assert result.sent_to == ("mail",)
    assert [line.partition(":")[0] for line in result.failed] == ["chat"]
    box.status = 200
    assert make_anchorer(database, text=CHAT_AND_MAIL, resolve=resolve).look(NOW).sent_to == ("chat",)
    assert len(box.mails) == 1


def test_what_was_changed_is_not_signed_and_told_once(database, make_anchorer, inbox):
    """The channels hear of it once, again when it passes; meanwhile no head leaves."""
    box, resolve = inbox
    append(database, 5)
    seal(database)
    make_anchorer(database, text=CHAT_AND_MAIL, resolve=resolve).look(NOW)
    with database.transaction() as connection:
        connection.exec_driver_sql("ALTER TABLE audit.event DISABLE TRIGGER USER")
        connection.exec_driver_sql("UPDATE audit.event SET recorded_us = recorded_us + 1 WHERE body LIKE '%%thing 2%%'")
    anchorer = make_anchorer(database, text=CHAT_AND_MAIL, resolve=resolve)
    for _ in range(2):
        with pytest.raises(LedgerError, match="first 5 events are not those that were signed"):
            anchorer.look(NOW + timedelta(days=1))
    assert len(box.posts) == 2
    assert "first 5 events are not those that were signed" in box.posts[1][1]["blocks"][1]["text"]["text"]
    with database.transaction() as connection:
        connection.exec_driver_sql("UPDATE audit.event SET recorded_us = recorded_us - 1 WHERE body LIKE '%%thing 2%%'")
    anchorer.look(NOW + timedelta(days=1))
    assert "has passed" in box.posts[2][1]["blocks"][1]["text"]["text"]


def test_silence_and_a_sealer_that_stopped_are_told(database, make_anchorer, inbox, monkeypatch):
    """Neither an event nor a sign of life for five minutes; or events that nobody seals."""
    box, resolve = inbox
    anchorer = make_anchorer(database, text=CHAT_AND_MAIL, resolve=resolve)
    append(database, 1)
    with database.transaction() as connection:
        connection.exec_driver_sql("ALTER TABLE audit.event DISABLE TRIGGER append_only_rows")
        connection.exec_driver_sql("UPDATE audit.event SET recorded_us = recorded_us - 400 * 1000000")
    anchorer.look(NOW)
    assert "have not been sealed for over 5 minutes" in box.posts[0][1]["blocks"][1]["text"]["text"]
    seal(database)
    anchorer.look(NOW)
    told = [post["blocks"][1]["text"]["text"] for _, post in box.posts]
    assert any("Nothing was recorded for over 5 minutes" in text for text in told)
    append(database, 1)
    anchorer.look(NOW)
    assert "has passed" in box.posts[-1][1]["blocks"][1]["text"]["text"]


def test_it_signs_what_it_computed_not_what_it_is_told(database, make_anchorer):
    """A sealed root that is not the events' is refused, and so is a sealed size without events."""
    append(database, 5)
    seal(database)
    with database.transaction() as connection:
        connection.exec_driver_sql("INSERT INTO audit.seal (size, root) VALUES (6, sha256('x'))")
    with pytest.raises(LedgerError, match="6 events are sealed and 5 are there"):
        make_anchorer(database).look(NOW)
    append(database, 1)
    with database.transaction() as connection:
        connection.exec_driver_sql(
            "INSERT INTO audit.leaf SELECT 5, event_id, audit.leaf_hash(recorded_us, body) FROM audit.event"
            " ORDER BY event_id DESC LIMIT 1"
        )
    with pytest.raises(LedgerError, match="sealed at 6 events is not theirs"):
        make_anchorer(database).look(NOW)


def test_its_rights_are_an_auditors(database, make_anchorer):
    """Reading the trail and noting what it sent is all that it can do."""
    with database.transaction() as connection:
        create_login(connection, "test_llmmon_anchorer", "a password", member_of="llmmon_anchorer")
    url = make_url(database.url).set(username="test_llmmon_anchorer", password="a password")
    opened = Database(url.render_as_string(hide_password=False))
    append(database, 3)
    seal(database)
    assert make_anchorer(opened).look(NOW).size == 3
    for statement in (
        "INSERT INTO audit.event (body) VALUES ('{}')",
        "SELECT audit.seal(1)",
        "UPDATE audit.anchor SET size = 1",
        "INSERT INTO audit.anchor (size, channel, checkpoint, receipt, anchored_at) VALUES (1, '', '', '', now())",
        "SELECT content FROM llmmon.request_payload",
    ):
        with pytest.raises(StoreError, match="permission denied"), opened.transaction() as connection:
            connection.exec_driver_sql(statement)
    opened.engine.dispose()


def test_its_memory_is_its_own_and_checked(database, make_anchorer, tmp_path):
    """State that another key signed, that was edited, or that is no JSON is refused with its file's name."""
    append(database, 3)
    seal(database)
    make_anchorer(database).look(NOW)
    state = tmp_path / "state.json"
    good = state.read_text("utf-8")
    assert state.stat().st_mode & 0o777 == 0o600
    with pytest.raises(ConfigError, match=r"state\.json"):
        make_anchorer(database, key=SigningKey.generate(KEY.name))
    told = json.loads(good)
    for broken in (json.dumps({**told, "size": 2}), json.dumps({**told, "parts": []}), "{", json.dumps({"sent": 1})):
        state.write_text(broken, "utf-8")
        with pytest.raises(ConfigError, match=r"state\.json"):
            make_anchorer(database)
    state.write_text(good, "utf-8")
    assert make_anchorer(database).look(NOW).n_new == 0


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[channels]\n[deliver]\n", "deliver"),
        ('[channels.a]\ntype = "log"\n[deliver]\na = 0\n', "deliver: .*2 items"),
        ('[channels.a]\ntype = "log"\n[deliver]\na = 0\nb = 0\n', "no 'b' is defined"),
        (
            '[channels.a]\ntype = "log"\n[channels.b]\ntype = "log"\n[deliver]\na = 0\nb = -1\n',
            "deliver.b: expected minutes",
        ),
        ("[channels", "not valid TOML"),
    ],
)
def test_its_file_is_checked(tmp_path, text, told):
    """Two channels at least, both defined."""
    path = tmp_path / "anchorer.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(ConfigError, match=told):
        load_anchorer_config(path)


def test_a_folder_that_cannot_be_written_is_a_delivery_that_failed(tmp_path):
    """The error names the folder; a file in its place is one reason."""
    (tmp_path / "taken").write_text("a file")
    channel = Folder(path=str(tmp_path / "taken"))
    with pytest.raises(DeliveryError, match="taken"):
        channel.notify(Notice(name="a.checkpoint", title="t", text="x"), connection=None)


def test_places_go_on_where_the_anchorer_stopped(database, make_anchorer):
    """It reads only what is new, until it is time to read everything again."""
    append(database, 5)
    seal(database)
    assert make_anchorer(database).look(NOW).n_new == 5
    append(database, 4)
    seal(database)
    result = make_anchorer(database).look(NOW + timedelta(minutes=1))
    assert (result.size, result.n_new) == (9, 4)
    with database.transaction() as connection:
        assert ledger.last_seal(connection)[0] == 9
