"""The verbs of the audit trail: reading, sealing, anchoring, verifying, proving."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

import click

from llmmon.audit import offline_verifier
from llmmon.audit.checkpoint import SigningKey
from llmmon.channels.environment import connection_from_environment
from llmmon.cli import context
from llmmon.config import load_anchorer_config
from llmmon.embedded import home
from llmmon.embedded import ledger as local_ledger
from llmmon.errors import ConfigError, LedgerError, StoreError
from llmmon.pipeline.anchor import Anchorer, AnchorResult
from llmmon.pipeline.prove import event_of
from llmmon.pipeline.prove import prove as prove_event
from llmmon.pipeline.seal import keep_sealing
from llmmon.pipeline.seal import seal as seal_waiting
from llmmon.pipeline.verify_ledger import Depth, verify_ledger
from llmmon.store import ledger
from llmmon.store.database import Database, fetch

_DEPTHS: tuple[Depth, ...] = ("events", "batches", "requests")
_key_option = click.option(
    "--key",
    "key_text",
    envvar="LLMMON_LEDGER_KEY",
    show_envvar=True,
    metavar="KEY",
    help="Public key of the anchorer, or the file that holds it; without it that of `llmmon up`.",
)


@click.group()
def audit() -> None:
    """Read the audit trail, seal it, sign its heads, verify it and prove what is in it."""


@audit.command()
@click.option("--event", help="Only events of this name.")
@click.option("--limit", default=50, show_default=True, help="Newest rows shown.")
@context.database_option
@context.json_option
def trail(event: str | None, limit: int, database_url: str | None, as_json: bool) -> None:
    """Read the trail, newest first: who did what, when, with which code and configuration."""
    database = context.open_database(database_url)
    with database.transaction() as connection:
        rows = fetch(connection, "audit_event/newest", {"event": event, "limit": limit})
    context.print_result(rows, as_json=as_json, empty="the audit trail is empty")


@audit.command()
@click.option("--every", "every_s", type=click.FloatRange(min=0.1), metavar="SECONDS", help="Go on, so often.")
@click.option(
    "--alive",
    "alive_s",
    default=60.0,
    show_default=True,
    help="Seconds without an event until a sign of life is recorded.",
)
@context.database_option
def seal(every_s: float | None, alive_s: float, database_url: str | None) -> None:
    """Give waiting events their places in the ledger; run by a login of the role llmmon_sealer."""
    database = context.open_database(database_url)
    if every_s is not None:
        keep_sealing(database, every_s=every_s, alive_s=alive_s)
    click.echo(f"{seal_waiting(database)} events sealed")


@audit.command()
@click.argument("name")
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="File for the secret key; must not be there."
)
def keygen(name: str, out: Path) -> None:
    """Make a signing key called NAME, such as example.com/llmmon, and print the public key for the auditors."""
    key = SigningKey.generate(name)
    try:
        out.touch(mode=0o600, exist_ok=False)
        out.write_text(f"{key.encoded}\n", "utf-8")
    except OSError as error:
        raise ConfigError(f"--out {out}: {error.strerror}; a key is never written over another") from error
    click.echo(key.public)


@audit.command()
@click.option(
    "--config", "config_path", type=click.Path(path_type=Path), required=True, help="The anchorer's own file."
)
@click.option("--key-file", type=click.Path(path_type=Path), required=True, help="Secret key, as keygen wrote it.")
@click.option("--state", type=click.Path(path_type=Path), required=True, help="What is remembered; made when missing.")
@click.option("--every", "every_s", type=click.FloatRange(min=1), metavar="SECONDS", help="Go on, so often.")
@context.database_option
def anchor(config_path: Path, key_file: Path, state: Path, every_s: float | None, database_url: str | None) -> None:
    """Recompute the ledger's head, sign it and send it away; run by a login of the role llmmon_anchorer.

    Its user, its files and its channels should be out of reach of those who operate the pipeline.
    """
    try:
        secret = key_file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"--key-file {key_file}: cannot be read: {error}") from error
    key = SigningKey.parse(secret, where=f"--key-file {key_file}")
    database = context.open_database(database_url)
    anchorer = Anchorer(database, load_anchorer_config(config_path), key, state, connection_from_environment)
    if every_s is None:
        _tell(anchorer.look(datetime.now(UTC)))
        return
    while True:
        try:
            result = anchorer.look(datetime.now(UTC))
            if result.sent_to or result.failed:
                _tell(result)
        except LedgerError as error:
            click.echo(f"not signed: {error}", err=True)
        except StoreError as error:
            if not error.transient:
                raise
            click.echo(f"not looked at: {error}", err=True)
        time.sleep(every_s)


@audit.command()
@_key_option
@click.option(
    "--heads",
    type=click.Path(path_type=Path, exists=True),
    multiple=True,
    metavar="PATH",
    help="Signed heads that you received: a file, or a folder of .checkpoint files; may be repeated.",
)
@click.option(
    "--depth",
    type=click.Choice(_DEPTHS),
    default="batches",
    show_default=True,
    help="The events; also the roots of loaded batches; also every request's facts and content.",
)
@context.database_option
@context.json_option
def verify(
    key_text: str | None, heads: tuple[Path, ...], depth: Depth, database_url: str | None, as_json: bool
) -> None:
    """Check that the trail is the one whose heads were signed, and that the loaded requests still fit it.

    Compares with the heads given and with those that the anchorer noted in the database. A database administrator can
    remove noted heads, not forge them: give those that you received yourself.
    """
    database = context.open_database(database_url)
    key, notes = _key(key_text), _notes(heads)
    if key is not None:
        notes = {**_noted(database), **notes}
    verdict = verify_ledger(database, notes, key, depth=depth)
    if as_json:
        context.print_json({**vars(verdict), "holds": verdict.holds})
    else:
        click.echo(f"{verdict.n_events} events, {verdict.n_heads} signed heads")
        if depth != "events":
            gone = f", {verdict.n_retired} of them removed by retention" if verdict.n_retired else ""
            click.echo(f"{verdict.n_batches} batches of {verdict.n_requests + verdict.n_retired} requests{gone}")
        if not notes:
            click.echo("no signed head was compared: this shows only that the tables agree with themselves")
        for line in (*verdict.problems, *verdict.doubts):
            click.echo(f"- {context.plain(line)}", err=True)
    if not verdict.holds:
        raise LedgerError(f"the audit trail does not hold: {len(verdict.problems) + len(verdict.doubts)} findings")
    if not as_json:
        click.echo("holds")


@audit.command()
@click.argument("event_id", type=int, metavar="EVENT", required=False)
@click.option("--batch", "batch_id", type=int, metavar="ID", help="The event that tells how this batch was loaded.")
@click.option("--request", "request_id", metavar="ID", help="The event of the batch that brought this request.")
@click.option("--source", metavar="NAME", help="Source of the request, where several know its id.")
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="FILE", help="Write the proof here, not to the terminal."
)
@_key_option
@click.option(
    "--heads", type=click.Path(path_type=Path, exists=True), multiple=True, metavar="PATH", help="As for verify."
)
@context.database_option
def prove(
    event_id: int | None,
    batch_id: int | None,
    request_id: str | None,
    source: str | None,
    out: Path | None,
    key_text: str | None,
    heads: tuple[Path, ...],
    database_url: str | None,
) -> None:
    """Write a proof (C2SP tlog-proof) that an event is in a signed trail.

    Whoever has the public key checks it without the database: python3 offline_verifier.py KEY EVENT.tlog-proof
    """
    given = [value is not None for value in (event_id, batch_id, request_id)]
    if sum(given) != 1:
        raise click.UsageError("give the number of an event, or --batch, or --request")
    database = context.open_database(database_url)
    key = _key(key_text)
    if key is None:
        raise ConfigError("--key: the anchorer's public key is needed to tell which heads were signed")
    if event_id is None:
        event_id = event_of(database, batch_id=batch_id, request_id=request_id, source=source)
    proof = prove_event(database, event_id, {**_noted(database), **_notes(heads)}.values(), key)
    if out is None:
        click.echo(proof.text, nl=False)
    else:
        out.write_text(proof.text, "utf-8")
        click.echo(
            f"{out}: event {event_id} has place {proof.seq} of {proof.size} signed ones: {context.plain(proof.body)}"
        )


@audit.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@context.database_option
def export(folder: Path, database_url: str | None) -> None:
    """Write the whole trail and the offline verifier to FOLDER, for an auditor who does not trust this database."""
    database = context.open_database(database_url)
    folder.mkdir(parents=True, exist_ok=True)
    n = 0
    with (folder / "entries.tsv").open("wb") as file:
        for entry in ledger.entries(database):
            if entry.body is None:
                raise LedgerError(f"event {entry.event_id} is gone; `llmmon audit verify` tells more")
            file.write(f"{entry.recorded_us}\t{entry.body}\n".encode())
            n += 1
    for name, note in _noted(database).items():
        (folder / name).write_text(note, "utf-8")
    verifier = Path(offline_verifier.__file__)
    (folder / verifier.name).write_bytes(verifier.read_bytes())
    click.echo(
        f"{folder}: {n} events. Check them with the heads that you received, or with those noted in the database:"
    )
    click.echo(f"cd {folder} && python3 {verifier.name} KEY entries.tsv *.checkpoint")


def _tell(result: AnchorResult) -> None:
    sent = f", sent to {', '.join(result.sent_to)}" if result.sent_to else ""
    click.echo(f"{result.size} events signed, {result.n_new} of them new{sent}")
    for line in result.failed:
        click.echo(f"not sent, to be tried again: {line}", err=True)


def _key(text: str | None) -> str | None:
    if text is None:
        local = local_ledger.folder(home.folder()) / "key.pub"
        return local.read_text("utf-8").strip() if local.exists() else None
    found = Path(text).read_text("utf-8").strip() if "+" not in text and Path(text).is_file() else text
    if found.count("+") < 2 or found.startswith("PRIVATE+KEY+"):
        raise ConfigError(
            "--key: no public key; expected name+hash+base64, as `llmmon audit keygen` prints it, or a file"
        )
    return found


def _notes(paths: tuple[Path, ...]) -> dict[str, str]:
    files = [file for path in paths for file in (sorted(path.glob("*.checkpoint")) if path.is_dir() else [path])]
    if paths and not files:
        raise ConfigError(f"--heads {paths[0]}: no .checkpoint file in this folder")
    return {str(file): file.read_text("utf-8") for file in files}


def _noted(database: Database) -> dict[str, str]:
    with database.transaction() as connection:
        return {f"noted-{size:012d}-{n}.checkpoint": note for n, (size, note) in enumerate(ledger.anchors(connection))}
