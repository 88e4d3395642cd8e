"""Personal data that follows a pattern: presidio's recognisers, checksums included, and no language model.

Names and addresses follow no pattern and are not found. A telephone number needs seven digits in one stretch of digits
and separators. Before a recogniser is asked, a cheap look says whether the text can hold what it looks for at all.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, Final, NamedTuple

_RECOGNIZERS: Final = {
    "CREDIT_CARD": ("CreditCardRecognizer", re.compile(r"\d(?:[ -]?\d){11}")),
    "CRYPTO": ("CryptoRecognizer", re.compile(r"[A-Za-z0-9]{25}")),
    "EMAIL_ADDRESS": ("EmailRecognizer", re.compile("@")),
    "IBAN_CODE": ("IbanRecognizer", re.compile(r"[A-Za-z]{2}\d{2}")),
    "IP_ADDRESS": ("IpRecognizer", re.compile(r"\d\.\d|[0-9A-Fa-f]:|::")),
    "MAC_ADDRESS": ("MacAddressRecognizer", re.compile(r"[0-9A-Fa-f]{2}[:-][0-9A-Fa-f]{2}|[0-9A-Fa-f]{4}\.")),
    "PHONE_NUMBER": ("PhoneRecognizer", re.compile(r"\d(?:\D{0,3}\d){6}")),
    "US_SSN": ("UsSsnRecognizer", re.compile(r"\d{3}[- .]?\d{2}[- .]?\d{4}")),
}
TYPES: Final = tuple(_RECOGNIZERS)
"""Entity types that can be looked for, in presidio's words."""

_TELEPHONE: Final = re.compile(r"(?!\d+\.\d+\b(?!\.))[+(]?\d[\d().\- \u00a0x]{5,25}\d")
_TELEPHONE_DIGITS: Final = 7
_OPTIONAL_AND_SLOW: Final = ("torch", "transformers")


class Find(NamedTuple):
    """A piece of personal data: where it stands, what it is, and presidio's score in [0, 1]."""

    start: int
    end: int
    kind: str
    confidence: float


def find(text: str, kinds: Iterable[str], *, min_confidence: float) -> list[Find]:
    """Return everything that any recogniser finds in `text`, overlaps included."""
    return [item for kind in kinds for item in _find(kind, text) if item.confidence >= min_confidence]


def without_overlaps(found: Iterable[Find]) -> list[Find]:
    """Return the finds in order of place; of those that overlap the surest, then the longest, counts."""
    kept: list[Find] = []
    for item in sorted(found, key=lambda item: (-item.confidence, item.start - item.end, item.start)):
        if not any(item.start < other.end and other.start < item.end for other in kept):
            kept.append(item)
    return sorted(kept)


def _find(kind: str, text: str) -> Iterator[Find]:
    _, can_hold = _RECOGNIZERS[kind]
    if not can_hold.search(text):
        return
    recognizer = _recognizer(kind)
    stretches = [(0, text)]
    if kind == "PHONE_NUMBER":
        # the telephone library tries every number in every region, which is slow and finds telephones in arithmetic
        stretches = [
            (match.start(), match.group())
            for match in _TELEPHONE.finditer(text)
            if sum(letter.isdigit() for letter in match.group()) >= _TELEPHONE_DIGITS
        ]
    for offset, stretch in stretches:
        for match in recognizer.analyze(stretch, recognizer.supported_entities, None) or ():
            yield Find(offset + match.start, offset + match.end, match.entity_type, match.score)


@cache
def _recognizer(kind: str) -> Any:
    # presidio imports spaCy, which imports torch and transformers when they are there: 12 s for what patterns never use
    hidden = [name for name in _OPTIONAL_AND_SLOW if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # None makes an import fail
    try:
        from presidio_analyzer import predefined_recognizers
    finally:
        for name in hidden:
            del sys.modules[name]
    import tldextract

    # the e-mail recogniser checks top-level domains, by default against a list fetched from the network
    tldextract.tldextract.TLD_EXTRACTOR.suffix_list_urls = ()
    return getattr(predefined_recognizers, _RECOGNIZERS[kind][0])()
