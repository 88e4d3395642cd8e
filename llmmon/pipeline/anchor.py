"""Anchor: recompute the ledger's head from its events, sign it, and send it out of the operators' reach.

The anchorer is a witness, so it shares nothing with the pipeline but the database, of which it has the auditor's
rights: its key, its state and its channels are its own, it runs as a process of its own, and it signs nothing that it
did not compute.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from llmmon.audit.checkpoint import SigningKey
from llmmon.audit.offline_verifier import head_of
from llmmon.audit.tree import Tree
from llmmon.channels.base import Channel, Connection, Notice, channels
from llmmon.config import AnchorerConfig
from llmmon.errors import ConfigError, DeliveryError, LedgerError
from llmmon.store import ledger
from llmmon.store.database import Database

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class AnchorState:
    """What the anchorer remembers between two looks, in a file of its own.

    Parameters
    ----------
    size : int
        Events under the last signed head.
    parts : tuple of str
        Roots of the complete subtrees of that tree, in hex, with which it grows on.
    checkpoint : str
        The last signed head.
    sent : mapping
        For each channel, size of the head it took last and when, in seconds since 1970.
    rechecked_at : float
        When all events were last read from the first on.
    trouble : str or None
        What the channels were told last and has not passed.
    """

    size: int = 0
    parts: tuple[str, ...] = ()
    checkpoint: str = ""
    sent: Mapping[str, tuple[int, float]] = field(default_factory=dict)
    rechecked_at: float = 0
    trouble: str | None = None


@dataclass(frozen=True, kw_only=True)
class AnchorResult:
    """What one look did.

    Parameters
    ----------
    size : int
        Events under the signed head.
    n_new : int
        Events that came under it with this look.
    sent_to : tuple of str
        Channels that took it now.
    failed : tuple of str
        Channels that were due and did not take it, with what they said.
    """

    size: int
    n_new: int
    sent_to: tuple[str, ...]
    failed: tuple[str, ...]


class Anchorer:
    """Signs heads of one ledger.

    Parameters
    ----------
    database : Database
        As a member of ``llmmon_anchorer`` opens it.
    state_file : Path
        Made on the first look, which takes the events that are there on trust.
    resolve : callable
        Gives the connection of a channel by name.

    Raises
    ------
    ConfigError
        When a channel cannot be built, or the state is damaged or was signed by another key.
    """

    def __init__(
        self,
        database: Database,
        config: AnchorerConfig,
        key: SigningKey,
        state_file: Path,
        resolve: Callable[[str], Connection],
    ) -> None:
        self.database = database
        self.config = config
        self.key = key
        self.state_file = state_file
        self.resolve = resolve
        self.channels: Mapping[str, Channel] = {
            name: config.channels[name].create(channels, where=f"channels.{name}") for name in config.deliver
        }
        self.state = _read_state(state_file, key)

    def look(self, now: datetime) -> AnchorResult:
        """Take the new events under a signed head and send it to the channels that are due.

        Raises
        ------
        LedgerError
            When the events are not those that were signed, or not those that the sealer sealed; nothing is signed then,
            and the channels are told once.
        """
        before = self.state
        try:
            self._advance(now)
        except LedgerError as error:
            self._trouble(f"No head is signed: {error}", now)
            raise
        sent, failed = self._send(now)
        self._trouble(self._silence(), now)
        return AnchorResult(size=self.state.size, n_new=self.state.size - before.size, sent_to=sent, failed=failed)

    def _advance(self, now: datetime) -> None:
        state = self.state
        with self.database.transaction() as connection:
            size, root = ledger.last_seal(connection)
        if size < state.size:
            raise LedgerError(f"{state.size} events were signed and {size} are sealed: the ledger was set back")
        is_recheck = now.timestamp() - state.rechecked_at >= self.config.recheck_hours * 3600
        known = Tree(state.size, [bytes.fromhex(part) for part in state.parts])
        tree = Tree() if is_recheck else Tree(known.size, known.parts)
        for entry in ledger.entries(self.database, tree.size, size):
            if entry.seq != tree.size or entry.body is None:
                raise LedgerError(f"the event at place {tree.size} is gone")
            tree.add(entry.bytes)
            if tree.size == known.size and tree.root != known.root:
                raise LedgerError(f"the first {known.size} events are not those that were signed")
        if tree.size != size:
            raise LedgerError(f"{size} events are sealed and {tree.size} are there")
        if size and tree.root != root:
            raise LedgerError(f"the head that was sealed at {size} events is not theirs")
        if is_recheck:
            state = replace(state, rechecked_at=now.timestamp())
        if size > state.size:
            parts = tuple(part.hex() for part in tree.parts)
            state = replace(state, size=size, parts=parts, checkpoint=self.key.checkpoint(size, tree.root))
        self._keep(state)

    def _send(self, now: datetime) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Send the head to each channel that has not had it and whose time has come; one that fails is due again."""
        sent: list[str] = []
        failed: list[str] = []
        for name, minutes in self.config.deliver.items():
            size, at = self.state.sent.get(name, (0, 0.0))
            if self.state.size <= size or now.timestamp() - at < minutes * 60:
                continue
            notice = Notice(
                name=f"{_file_name(self.key.name)}-{self.state.size:012d}.checkpoint",
                title=f"Audit ledger: {self.state.size} events signed",
                text=self.state.checkpoint,
            )
            try:
                receipt = self._tell(name, notice)
            except DeliveryError as error:
                _log.warning("head of %d events not sent to %s: %s", self.state.size, name, error)
                failed.append(f"{name}: {error}")
                continue
            sent.append(name)
            self._keep(replace(self.state, sent={**self.state.sent, name: (self.state.size, now.timestamp())}))
            with self.database.transaction() as connection:
                ledger.keep_anchor(
                    connection, size=self.state.size, channel=name, checkpoint=self.state.checkpoint, receipt=receipt
                )
        return tuple(sent), tuple(failed)

    def _silence(self) -> str | None:
        with self.database.transaction() as connection:
            silent, waiting = ledger.silence(connection)
        limit = self.config.silence_minutes * 60
        if waiting > limit:
            return f"Events have not been sealed for over {self.config.silence_minutes:g} minutes: does the sealer run?"
        if silent > limit:
            return f"Nothing was recorded for over {self.config.silence_minutes:g} minutes, not even a sign of life."
        return None

    def _trouble(self, trouble: str | None, now: datetime) -> None:
        """Tell every channel what is wrong, once until it is another trouble or none."""
        if trouble == self.state.trouble:
            return
        text = trouble or f"What was told before has passed: {self.state.trouble}"
        digest = sha256(f"{now.isoformat()} {text}".encode()).hexdigest()[:12]
        notice = Notice(
            name=f"{_file_name(self.key.name)}-{digest}.txt",
            title=f"Audit ledger {self.key.name}: {'look into this' if trouble else 'all well again'}",
            text=text,
        )
        told = 0
        for name in self.channels:
            try:
                self._tell(name, notice)
                told += 1
            except DeliveryError as error:
                _log.warning("%s was not told of %r: %s", name, text, error)
        if told:  # else it is told again at the next look
            self._keep(replace(self.state, trouble=trouble))

    def _tell(self, name: str, notice: Notice) -> str:
        channel = self.channels[name]
        connection = None if channel.connection is None else self.resolve(channel.connection)
        return channel.notify(notice, connection=connection).response

    def _keep(self, state: AnchorState) -> None:
        if state == self.state:
            return
        self.state = state
        fresh = self.state_file.with_suffix(".new")
        fresh.touch(mode=0o600)
        with fresh.open("w", encoding="utf-8") as file:
            json.dump(asdict(state), file)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self.state_file)


def _read_state(path: Path, key: SigningKey) -> AnchorState:
    if not path.exists():
        return AnchorState()
    try:
        told = json.loads(path.read_text("utf-8"))
        sent = {name: (int(size), float(at)) for name, (size, at) in told.pop("sent").items()}
        state = AnchorState(**{**told, "parts": tuple(told["parts"])}, sent=sent)
        root = Tree(state.size, [bytes.fromhex(part) for part in state.parts]).root
        sound = not state.checkpoint or head_of(state.checkpoint, key.public) == (state.size, root)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ConfigError(f"{path}: the anchorer's state cannot be read: {error}") from error
    if not sound:
        raise ConfigError(f"{path}: the anchorer's state does not fit the head it signed last")
    return state


def _file_name(text: str) -> str:
    return "".join(letter if letter.isalnum() or letter in ".-" else "-" for letter in text)
