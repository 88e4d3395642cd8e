"""The one privacy key of an installation, and the keys that are made from it.

Pseudonyms, the sealing of subjects' keys and the sealing of quarantined rows each have a key of their own, derived by
HKDF (RFC 5869), so that none of them tells anything about another. A subject's key is random and independent of it.
"""

from __future__ import annotations

import hmac
import os
from dataclasses import dataclass, field
from functools import cache
from typing import Final, Self

from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from llmmon.errors import ConfigError, SealError
from llmmon.privacy.sealing import open_sealed, seal

VARIABLE: Final = "LLMMON_PRIVACY_KEY"
_SHORTEST: Final = 16
_SIV_BYTES: Final = 64


@dataclass(frozen=True, slots=True)
class MasterKey:
    """The key in ``LLMMON_PRIVACY_KEY``; every process that reads or writes texts of subjects needs it.

    Parameters
    ----------
    pseudonym_key, wrapping_key, quarantine_key, identity_key : bytes
        Derived from it.
    """

    pseudonym_key: bytes = field(repr=False)
    wrapping_key: bytes = field(repr=False)
    quarantine_key: bytes = field(repr=False)
    identity_key: bytes = field(repr=False)

    @classmethod
    def derive(cls, secret: str) -> Self:
        """Make the keys of `secret`, at least 16 characters of it.

        Raises
        ------
        ConfigError
            When it is shorter.
        """
        if len(secret) < _SHORTEST:
            raise ConfigError(
                f"{VARIABLE}: {len(secret)} characters; expected at least {_SHORTEST} random ones, such as the output "
                "of `openssl rand -hex 32`"
            )
        return cls(
            pseudonym_key=_derived(secret, b"pseudonym", 32),
            wrapping_key=_derived(secret, b"subject keys", _SIV_BYTES),
            quarantine_key=_derived(secret, b"quarantine", _SIV_BYTES),
            identity_key=_derived(secret, b"identity", 32),
        )

    def pseudonym(self, user: str) -> str:
        """Return the reference of `user`: the first 128 bits of HMAC-SHA256, as 32 hexadecimal digits.

        The same user has the same reference, and without the key nobody can go back.
        """
        return hmac.digest(self.pseudonym_key, user.encode("utf-8", "surrogatepass"), "sha256").hex()[:32]

    def identity(self, raw: bytes) -> str:
        """Return what a row that names no request id is known by: 128 bits of its HMAC-SHA256.

        A plain digest would outlive an erasure and confirm a guess at the text.
        """
        return hmac.digest(self.identity_key, raw, "sha256").hex()[:32]

    def wrap(self, key: bytes, user_ref: str) -> bytes:
        """Return a subject's key, sealed for storage; it opens for this subject only."""
        return seal(key, self.wrapping_key, user_ref.encode())

    def unwrap(self, wrapped: bytes, user_ref: str) -> bytes:
        """Return a subject's key.

        Raises
        ------
        SealError
            When it was sealed under another ``LLMMON_PRIVACY_KEY`` or for another subject.
        """
        return open_sealed(wrapped, self.wrapping_key, user_ref.encode())

    def seal_quarantine(self, raw: bytes) -> bytes:
        """Return a row that could not be read, and so not be redacted, sealed for storage."""
        return seal(raw, self.quarantine_key)

    def open_quarantine(self, sealed: bytes) -> bytes:
        """Return the row; raises `SealError`."""
        return open_sealed(sealed, self.quarantine_key)


def new_subject_key() -> bytes:
    """Return a random key for one subject."""
    return AESSIV.generate_key(8 * _SIV_BYTES)


def master_key() -> MasterKey | None:
    """Return the key in ``LLMMON_PRIVACY_KEY``, None when it is not set.

    Raises
    ------
    ConfigError
        When it is too short to be a key.
    """
    secret = os.environ.get(VARIABLE, "")
    return _of(secret) if secret else None


def opened_quarantine(raw: bytes, *, sealed: bool) -> bytes:
    """Return a row that was kept out of the request log, as it was read.

    Raises
    ------
    SealError
        When it is sealed and ``LLMMON_PRIVACY_KEY`` is missing or another one.
    """
    if not sealed:
        return raw
    master = master_key()
    if master is None:
        raise SealError(f"{VARIABLE} is not set, and this row is sealed; set the key it was stored under")
    return master.open_quarantine(raw)


@cache  # derived once in a process
def _of(secret: str) -> MasterKey:
    return MasterKey.derive(secret)


def _derived(secret: str, purpose: bytes, n_bytes: int) -> bytes:
    return HKDF(algorithm=SHA256(), length=n_bytes, salt=b"llmmon", info=purpose).derive(secret.encode())
