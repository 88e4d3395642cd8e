"""Authenticated encryption of stored texts: AES-SIV (RFC 5297).

It is deterministic: the same text under the same key gives the same bytes, so that a request that is logged twice can
be told from one that changed, and no nonce can be used twice by accident.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from llmmon.errors import SealError


def seal(content: bytes, key: bytes, context: bytes = b"") -> bytes:
    """Return `content` sealed.

    Parameters
    ----------
    content : bytes
        At least one byte.
    key : bytes
        64 bytes.
    context : bytes
        What the seal is bound to; opening needs the same.
    """
    return AESSIV(key).encrypt(content, [context] if context else None)


def open_sealed(sealed: bytes, key: bytes, context: bytes = b"") -> bytes:
    """Return what was sealed.

    Raises
    ------
    SealError
        When it was sealed under another key or for another context, or was changed since.
    """
    try:
        return AESSIV(key).decrypt(sealed, [context] if context else None)
    except InvalidTag:
        raise SealError(
            "a sealed text does not open: it was sealed under another LLMMON_PRIVACY_KEY, or changed since; "
            "set the key that it was stored under"
        ) from None
