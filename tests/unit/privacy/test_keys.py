"""The privacy key and what is derived from it."""

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from llmmon.errors import ConfigError, SealError
from llmmon.privacy.keys import MasterKey, master_key, new_subject_key
from llmmon.privacy.sealing import open_sealed, seal

SECRET = "0123456789abcdef0123456789abcdef"


def test_a_pseudonym_is_the_same_for_the_same_user_and_key_only():
    """Two users, and one user under two keys, have nothing in common."""
    key = MasterKey.derive(SECRET)
    assert key.pseudonym("ann") == MasterKey.derive(SECRET).pseudonym("ann")
    assert len({key.pseudonym("ann"), key.pseudonym("bob"), MasterKey.derive(SECRET[::-1]).pseudonym("ann")}) == 3
    assert len(key.pseudonym("ann")) == 32


def test_the_pseudonym_is_the_published_hmac():
    """RFC 4231, test case 2, cut to 128 bits."""
    key = MasterKey(pseudonym_key=b"Jefe", wrapping_key=b"", quarantine_key=b"", identity_key=b"")
    assert key.pseudonym("what do ya want for nothing?") == "5bdcc146bf60754e6a042426089575c7"


def test_sealing_is_aes_siv_as_published():
    """RFC 5297, appendix A.1 (its key of 256 bits)."""
    key = bytes.fromhex("fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff")
    context = bytes.fromhex("101112131415161718191a1b1c1d1e1f2021222324252627")
    content = bytes.fromhex("112233445566778899aabbccddee")
    sealed = "85632d07c6e8f37f950acd320a2ecc9340c02b9690c4dc04daef7f6afe5c"
    assert seal(content, key, context).hex() == sealed
    assert open_sealed(bytes.fromhex(sealed), key, context) == content


def test_a_seal_opens_with_its_key_for_its_subject_only():
    """A changed byte, another key and another subject are refused alike."""
    key, wrapped_for = MasterKey.derive(SECRET), "a" * 32
    subject_key = new_subject_key()
    wrapped = key.wrap(subject_key, wrapped_for)
    assert key.unwrap(wrapped, wrapped_for) == subject_key
    for opening in (
        lambda: key.unwrap(wrapped, "b" * 32),
        lambda: MasterKey.derive(SECRET[::-1]).unwrap(wrapped, wrapped_for),
        lambda: key.unwrap(wrapped[:-1] + bytes([wrapped[-1] ^ 1]), wrapped_for),
    ):
        with pytest.raises(SealError, match="LLMMON_PRIVACY_KEY"):
            opening()


def test_sealing_is_deterministic_and_hides_the_text():
    """The same text gives the same bytes under one key, and others under another."""
    first, second = new_subject_key(), AESSIV.generate_key(512)
    assert seal(b"hello", first) == seal(b"hello", first) != seal(b"hello", second)
    assert b"hello" not in seal(b"hello", first)


def test_a_short_key_is_refused_and_no_key_is_none(monkeypatch):
    """The message names the variable."""
    monkeypatch.setenv("LLMMON_PRIVACY_KEY", "short")
    with pytest.raises(ConfigError, match="LLMMON_PRIVACY_KEY: 5 characters"):
        master_key()
    monkeypatch.delenv("LLMMON_PRIVACY_KEY")
    assert master_key() is None
    assert SECRET not in repr(MasterKey.derive(SECRET))
