"""Signed heads against published signed notes, and the offline verifier against the library it does without."""

import ast
import random
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from llmmon.audit import offline_verifier
from llmmon.audit.checkpoint import SigningKey
from llmmon.audit.offline_verifier import head_of, is_signed
from llmmon.audit.tree import Tree
from llmmon.errors import ConfigError

# published with golang.org/x/mod/sumdb/note
SECRET = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
PUBLIC = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
SIGNATURE = "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
NOTE = f"{TEXT}\n\u2014 PeterNeumann {SIGNATURE}\n"


def test_signatures_and_keys_are_the_published_ones():
    """Go's own example key gives its public key, its signature and its text back."""
    key = SigningKey.parse(SECRET, where="here")
    assert key.public == PUBLIC
    assert key.encoded == SECRET
    assert key.sign(TEXT) == NOTE


def test_a_head_comes_back_and_any_other_is_refused():
    """Size and root are those that were signed; other text, other key and other name are not."""
    key = SigningKey.generate("example.com/llmmon")
    note = key.checkpoint(7, b"r" * 32)
    assert head_of(note, key.public) == (7, b"r" * 32)
    assert note.startswith("example.com/llmmon\n7\n")
    for forged in (
        note.replace("\n7\n", "\n8\n"),
        note.replace("example.com/llmmon\n7", "example.com/other\n7"),
        note.partition("\n\n")[0] + "\n\n",
        SigningKey.generate("example.com/llmmon").checkpoint(7, b"r" * 32),
    ):
        with pytest.raises(ValueError, match="not signed by"):
            head_of(forged, key.public)
    witness = SigningKey.generate("witness.example")
    cosigned = note + witness.sign(note.partition("\n\n")[0] + "\n").partition("\n\n")[2]
    assert head_of(cosigned, key.public) == head_of(cosigned, witness.public) == (7, b"r" * 32)


def test_the_verifiers_arithmetic_agrees_with_the_library():
    """Ed25519 written out against cryptography's: honest signatures hold, and one flipped bit anywhere does not."""
    draw = random.Random(5)
    for _ in range(20):
        private = Ed25519PrivateKey.from_private_bytes(draw.randbytes(32))
        public, text = private.public_key().public_bytes_raw(), draw.randbytes(draw.randrange(200))
        signature = private.sign(text)
        assert is_signed(text, signature, public)
        place = draw.randrange(512)
        flipped = bytearray(signature)
        flipped[place // 8] ^= 1 << place % 8
        assert not is_signed(text, bytes(flipped), public)
        assert not is_signed(text + b"!", signature, public)


def test_the_verifier_is_one_short_file_of_the_standard_library():
    """At most 100 lines that an auditor can read, and nothing to install."""
    source = Path(offline_verifier.__file__).read_text("utf-8")
    assert len(source.splitlines()) <= 100
    imported = {
        name
        for node in ast.walk(ast.parse(source))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert {name.partition(".")[0] for name in imported} <= sys.stdlib_module_names


@pytest.mark.parametrize("size", [0, 1, 2, 3, 7, 8, 100])
def test_a_tree_grows_on_from_its_parts(size):
    """What the anchorer remembers is enough: the same roots as from the first entry on."""
    entries = [str(n).encode() for n in range(130)]
    whole, first = Tree(), Tree()
    for entry in entries:
        whole.add(entry)
    for entry in entries[:size]:
        first.add(entry)
    grown = Tree(first.size, first.parts)
    for entry in entries[size:]:
        grown.add(entry)
    assert grown.root == whole.root
    offline_verifier.check_trail(entries, [(130, whole.root), (size, first.root)] if size else [(130, whole.root)])


@pytest.mark.parametrize(
    "text",
    ["", "no key", SECRET.replace("c74f20a3", "c74f20a4"), SECRET.replace("+AYE", "+AIE"), PUBLIC, SECRET[:-8]],
)
def test_a_damaged_key_is_a_clear_error_that_does_not_repeat_it(text):
    """The error says where and what makes one."""
    with pytest.raises(ConfigError, match=r"--key-file k: .*keygen") as told:
        SigningKey.parse(text, where="--key-file k")
    assert "AYEK" not in str(told.value)


def test_a_name_must_fit_the_format():
    """Spaces and plus signs would break signature lines and keys apart."""
    with pytest.raises(ConfigError, match="no spaces"):
        SigningKey.generate("our llmmon")
