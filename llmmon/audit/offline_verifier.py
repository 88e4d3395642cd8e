"""Check llmmon's audit trail without its database: one file, Python's standard library, made to be read.

    python3 offline_verifier.py KEY entries.tsv HEAD...     the whole trail, of `llmmon audit export`, is the signed one
    python3 offline_verifier.py KEY EVENT.tlog-proof...     one event, of `llmmon audit prove`, is in a signed trail

KEY is the anchorer's public key; HEAD is a checkpoint that the anchorer sent: take those that *you* received.
"""

import sys
from base64 import b64decode
from collections.abc import Iterable
from functools import reduce
from hashlib import sha256, sha512
from pathlib import Path

P, ORDER = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493  # Ed25519: RFC 8032, section 5.1
D = -121665 * pow(121666, -1, P) % P


def _add(p: tuple[int, int], q: tuple[int, int]) -> tuple[int, int]:
    d = D * p[0] * q[0] * p[1] * q[1]
    return (p[0] * q[1] + p[1] * q[0]) * pow(1 + d, -1, P) % P, (p[1] * q[1] + p[0] * q[0]) * pow(1 - d, -1, P) % P


def _times(n: int, p: tuple[int, int]) -> tuple[int, int]:
    return _add(_times(n >> 1, _add(p, p)), p if n & 1 else (0, 1)) if n else (0, 1)


def _point(data: bytes) -> tuple[int, int]:
    y = int.from_bytes(data, "little") & (1 << 255) - 1
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    x = x if x * x % P == square else x * pow(2, (P - 1) // 4, P) % P
    return (x if x & 1 == data[31] >> 7 else P - x), y


def is_signed(text: bytes, signature: bytes, public: bytes) -> bool:
    """Return whether the Ed25519 `signature` over `text` is of the key `public`."""
    s, h = int.from_bytes(signature[32:], "little"), sha512(signature[:32] + public + text).digest()
    (x, y), base = _point(public), _point((4 * pow(5, -1, P) % P).to_bytes(32, "little"))
    x, y = _add(_times(s, base), _times(int.from_bytes(h, "little") % ORDER, (P - x, y)))
    return s < ORDER and (y | (x & 1) << 255).to_bytes(32, "little") == signature[:32]


def head_of(note: str, key: str) -> tuple[int, bytes]:
    """Return size and root that a checkpoint (C2SP tlog-checkpoint) tells; ValueError unless `key` signed it."""
    (name, key_id, public), (text, _, signatures) = key.split("+", 2), note.partition("\n\n")
    for line in signatures.splitlines():
        found = b64decode(line.rpartition(" ")[2]) if line.startswith(f"\u2014 {name} ") else b""
        if found[:4].hex() == key_id and is_signed(f"{text}\n".encode(), found[4:], b64decode(public)[1:]):
            return int(text.split("\n")[1]), b64decode(text.split("\n")[2])
    raise ValueError(f"not signed by {name}: {text!r}")


def _pair(right: bytes, left: bytes) -> bytes:
    return sha256(b"\1" + left + right).digest()


def check_trail(entries: Iterable[bytes], heads: Iterable[tuple[int, bytes]]) -> None:
    """Raise ValueError unless each head is the root over the first `size` entries (RFC 9162, section 2.1.1)."""
    size, parts, wanted = 0, list[bytes](), sorted(heads, reverse=True)
    for size, entry in enumerate(entries, 1):
        node, n_before = sha256(b"\0" + entry).digest(), size - 1
        while n_before & 1:  # two trees of the same size become one
            node, n_before = _pair(node, parts.pop()), n_before >> 1
        parts.append(node)
        while wanted and wanted[-1][0] == size:
            if wanted.pop()[1] != reduce(_pair, reversed(parts)):
                raise ValueError(f"the first {size} events are not those that were signed")
    if wanted:
        raise ValueError(f"{wanted[0][0]} events were signed, {size} are there")


def check_proof(proof: str, note: str, key: str) -> bytes:
    """Return the entry of a proof (C2SP tlog-proof); ValueError unless the signed tree holds it (RFC 9162, 2.1.3.2)."""
    (_, extra, place, *path), (size, root) = proof.split("\n"), head_of(note, key)
    node, index, last = sha256(b"\0" + b64decode(extra[6:])).digest(), int(place[6:]), size - 1
    for other in map(b64decode, path):
        is_right = index & 1 or index == last
        node = _pair(node, other) if is_right else _pair(other, node)
        while is_right and index and not index & 1:
            index, last = index >> 1, last >> 1
        index, last = index >> 1, last >> 1
    if last or node != root:
        raise ValueError("the event is not in the signed trail")
    return b64decode(extra[6:])


if __name__ == "__main__":  # what does not hold is raised, which ends Python with status 1
    given = [Path(name).read_text("utf-8") for name in sys.argv[3:]]
    if sys.argv[2].endswith(".tlog-proof"):
        for text in (Path(sys.argv[2]).read_text("utf-8"), *given):
            proof, _, head = text.partition("\n\n")
            print("holds:", check_proof(proof, head, sys.argv[1])[8:].decode())
    else:
        with Path(sys.argv[2]).open("rb") as file:
            lines = (line[:-1].split(b"\t", 1) for line in file)
            entries = (int(time).to_bytes(8, "big") + body for time, body in lines)
            check_trail(entries, [head_of(note, sys.argv[1]) for note in given])
        print(f"holds: {len(given)} heads")
