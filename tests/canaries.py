"""A thousand made-up pieces of personal data, all different, all valid, each planted in one place of a log."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import zlib
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

from tests.conftest import EPOCH, make_line

PLACES = (
    *("system turn", "user turn", "document", "answer", "reference answer", "parameter", "group", "tag", "tag name"),
    *("error type", "finish reason", "user", "broken line", "wrong type", "wrong time"),
)
N = 1000
N_WINDOWS = 5
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_HEX = re.compile(r"\\+x([0-9a-f]{2,})")


def canaries(seed: int = 11) -> list[str]:
    """Return 1,000 different ones of eight types in turn."""
    random = Random(seed)
    made: list[str] = []
    makers = (_mail, _card, _iban, _ssn, _ip, _telephone, _mac, _crypto)
    while len(made) < N:
        item = makers[len(made) % len(makers)](random)
        if item not in made:
            made.append(item)
    return made


def planted_log(folder: Path) -> dict[str, str]:
    """Write ``logs.jsonl`` with a canary in every line; return the place by canary.

    The lines are spread over `N_WINDOWS` hours, half of them name a user, and every seventh answer took long.
    """
    where = {item: PLACES[index % len(PLACES)] for index, item in enumerate(canaries())}
    with (folder / "logs.jsonl").open("wb") as log:
        for index, (item, place) in enumerate(where.items()):
            log.write(_line(index, item, place) + b"\n")
    return where


def found(planted: Iterable[str], *texts: str) -> set[str]:
    """Return the canaries that stand in any of some texts, as written or with the usual escapes undone."""
    hay = "\n".join([*texts, *(text.replace("\\/", "/").replace("&#43;", "+").replace("%40", "@") for text in texts)])
    return {item for item in planted if item in hay}


def readable(dump: str) -> str:
    """Return a dump of a database with its bytes as text, unzipped where they are zipped."""

    def text(match: re.Match[str]) -> str:
        content = bytes.fromhex(match[1][: len(match[1]) // 2 * 2])
        return _unzipped(content).decode("utf-8", "replace")

    return _HEX.sub(text, dump)


def _unzipped(content: bytes) -> bytes:
    try:
        return gzip.decompress(content)
    except (gzip.BadGzipFile, EOFError, zlib.error):  # one ciphertext or digest in 65,536 begins as a gzip file does
        return content


def _line(index: int, item: str, place: str) -> bytes:
    text = f"please note {item} for later"
    at = EPOCH + timedelta(hours=index % N_WINDOWS, seconds=index)
    line: dict[str, Any] = make_line(
        index, timestamp=at.isoformat(), latency_ms=20_000 if index % 7 == 0 else 90 + index % 9
    )
    line["user"] = f"user-{index % 20}" if index % 2 else None
    request, choice = line["request"], line["response"]["choices"][0]
    if place == "system turn":
        request["messages"].insert(0, {"role": "system", "content": text})
    elif place == "user turn":
        request["messages"][0]["content"] = text
    elif place == "document":
        line["context"] = [{"id": "d", "content": text}]
    elif place == "answer":
        choice["message"]["content"] = text
    elif place == "reference answer":
        line["reference_answer"] = text
    elif place == "parameter":
        request["stop"] = [text]
    elif place == "group":
        line["groups"] = {"contact": item}
    elif place == "tag":
        line["tags"] = {"note": text}
    elif place == "tag name":
        line["tags"] = {item: "x"}
    elif place == "error type":
        line |= {"response": None, "error": {"type": text}}
    elif place == "finish reason":
        choice["finish_reason"] = text
    elif place == "user":
        line["user"] = item
    elif place == "wrong type":
        line["latency_ms"] = text
    elif place == "wrong time":
        line["timestamp"] = text
    raw = json.dumps(line).encode()
    return raw[:-1] + text.encode() if place == "broken line" else raw


def _digits(random: Random, n: int) -> str:
    return "".join(random.choices("0123456789", k=n))


def _mail(random: Random) -> str:
    return f"{''.join(random.choices('abcdefghijklmnop', k=7))}.{_digits(random, 3)}@example.com"


def _card(random: Random) -> str:
    body = "4" + _digits(random, 14)
    total = sum(sum(divmod(int(digit) * (2 - place % 2), 10)) for place, digit in enumerate(body))
    return f"{body}{-total % 10}"


def _iban(random: Random) -> str:
    account = _digits(random, 18)
    return f"DE{98 - int(account + '131400') % 97:02d}{account}"


def _ssn(random: Random) -> str:
    return f"{random.randint(100, 665)}-{random.randint(10, 99)}-{random.randint(1000, 9998)}"


def _ip(random: Random) -> str:
    return ".".join(str(random.randint(11, 250)) for _ in range(4))


def _telephone(random: Random) -> str:
    return f"+44 20 7946 {_digits(random, 4)}"


def _mac(random: Random) -> str:
    return ":".join(f"{random.randint(16, 255):02x}" for _ in range(6))


def _crypto(random: Random) -> str:
    body = b"\0" + bytes([random.randint(1, 255)]) + random.randbytes(19)
    number = int.from_bytes(body + hashlib.sha256(hashlib.sha256(body).digest()).digest()[:4], "big")
    letters = ""
    while number:
        number, rest = divmod(number, 58)
        letters = _BASE58[rest] + letters
    return f"1{letters}"
