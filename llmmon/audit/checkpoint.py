"""Signed heads of the ledger: C2SP checkpoints (tlog-checkpoint, signed-note) under an Ed25519 key."""

from __future__ import annotations

import binascii
import re
from base64 import b64decode, b64encode
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from llmmon.errors import ConfigError

_PREFIX: Final = "PRIVATE+KEY+"
_ED25519: Final = b"\x01"
_NAME: Final = re.compile(r"[^\s+]{1,100}")


@dataclass(frozen=True, slots=True)
class SigningKey:
    """An Ed25519 key with the name that signatures and public key carry, such as ``example.com/llmmon``."""

    name: str
    private: Ed25519PrivateKey = field(repr=False)

    @classmethod
    def generate(cls, name: str) -> Self:
        """Make a new key.

        Raises
        ------
        ConfigError
            When the name has spaces or ``+``, which the format uses itself.
        """
        if not _NAME.fullmatch(name):
            raise ConfigError(f"{name!r} cannot name a key; expected a name like example.com/llmmon, no spaces, no +")
        return cls(name, Ed25519PrivateKey.generate())

    @classmethod
    def parse(cls, text: str, *, where: str) -> Self:
        """Read a key as `encoded` writes it.

        Raises
        ------
        ConfigError
            Naming `where`, never the text, which is a secret.
        """
        try:
            name, key_id, secret = text.strip().removeprefix(_PREFIX).split("+", 2)
            kind, seed = b64decode(secret, validate=True)[:1], b64decode(secret, validate=True)[1:]
            key = cls(name, Ed25519PrivateKey.from_private_bytes(seed))
        except (ValueError, binascii.Error):
            raise ConfigError(f"{where}: no signing key; `llmmon audit keygen` makes one") from None
        if not text.startswith(_PREFIX) or kind != _ED25519 or key.key_id.hex() != key_id:
            raise ConfigError(f"{where}: no Ed25519 signing key, or a damaged one; `llmmon audit keygen` makes one")
        return key

    @property
    def encoded(self) -> str:
        """The key as text, to be kept where only the anchorer reads."""
        return _PREFIX + self._named(self.private.private_bytes_raw())

    @property
    def public(self) -> str:
        """The public key as text, which auditors are given."""
        return self._named(self._public_bytes)

    def _named(self, key: bytes) -> str:
        return f"{self.name}+{self.key_id.hex()}+{b64encode(_ED25519 + key).decode()}"

    @property
    def key_id(self) -> bytes:
        """Four bytes that tell keys of one name apart."""
        return sha256(f"{self.name}\n".encode() + _ED25519 + self._public_bytes).digest()[:4]

    @property
    def _public_bytes(self) -> bytes:
        return self.private.public_key().public_bytes_raw()

    def sign(self, text: str) -> str:
        """Return the signed note of `text`, which ends with a line feed."""
        signature = b64encode(self.key_id + self.private.sign(text.encode())).decode()
        return f"{text}\n\u2014 {self.name} {signature}\n"

    def checkpoint(self, size: int, root: bytes) -> str:
        """Return the signed head of a ledger that is named after this key."""
        return self.sign(f"{self.name}\n{size}\n{b64encode(root).decode()}\n")
