"""Personal data that follows a pattern: presidio's recognisers, checksums included, and no language model.

Names and addresses follow no pattern and are not found. Before a recogniser is asked, a cheap look says whether the
text can hold what it looks for at all. Three reach further than presidio's:

- card numbers of 12 to 19 digits by the ranges of their issuers, not of 12 to 16 only;
- IBANs in small letters;
- telephone numbers of any country, where a plus sign or a word such as "call" stands with them; the telephone library
  knows the formats of eight countries. One needs seven digits in one stretch of digits and separators.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, Final, NamedTuple

from llmmon.privacy.plain_text import plain_text

_RECOGNIZERS: Final = {
    "CREDIT_CARD": ("CreditCardRecognizer", re.compile(r"(?<!\d)\d(?:[ -]?\d){11}")),
    "CRYPTO": ("CryptoRecognizer", re.compile(r"(?:[Bb][Cc]1|[13])[A-Za-z0-9]{25}")),
    "EMAIL_ADDRESS": ("EmailRecognizer", re.compile("@")),
    "IBAN_CODE": ("IbanRecognizer", re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}\d{2}(?:[ -]?[A-Za-z0-9]){8}")),
    # what a search begins with is one letter of a few: the quickest thing that a regular expression can look for
    "IP_ADDRESS": ("IpRecognizer", re.compile(r"[.:](?:(?<=\d\.)\d{1,3}\.\d|(?<=:)[0-9A-Fa-f]{0,4}:)")),
    "MAC_ADDRESS": (
        "MacAddressRecognizer",
        re.compile(r"[-:.](?:(?<=[0-9A-Fa-f]{2}[-:])[0-9A-Fa-f]{2}[-:]|(?<=[0-9A-Fa-f]{4}\.)[0-9A-Fa-f]{4}\.)"),
    ),
    "PHONE_NUMBER": ("PhoneRecognizer", re.compile(r"(?<!\d)\d(?:\D{0,3}\d){6}")),
    "US_SSN": ("UsSsnRecognizer", re.compile(r"(?<!\d)\d{3}[- .]?\d{2}[- .]?\d{4}")),
}
TYPES: Final = tuple(_RECOGNIZERS)
"""Entity types that can be looked for, in presidio's words."""

PLACEHOLDER: Final = re.compile(r"<([A-Z][A-Z0-9_]*)>")
"""What redaction leaves in place of what it found: the type, also one of the configuration's own."""

_TELEPHONE: Final = re.compile(r"(?<!\d)(?!\d+\.\d+\b(?!\.)|\d{4}-\d\d-\d\d)[+(]?\d[\d().\- x]{5,25}\d")
_TELEPHONE_DIGITS: Final = range(7, 16)
_TELEPHONE_WORD: Final = re.compile(
    r"(?i)\b(?:tele)?(?:phone|fax)|\bcell\b|\bmobile|\bcall|\btel\b|whatsapp|\btext me|\bmessages? to"
    r"|\bcontact|\bdial|\breach|\banswering|\boffice"
)
_TELEPHONE_BEFORE, _TELEPHONE_AFTER = 60, 20
"""How many letters before and after a number such a word may stand."""
_ISSUER_RANGES: Final = (
    r"(?<!\d)(?:4(?:[ -]?\d){12,18}|(?:50|5[6-8]|6\d)(?:[ -]?\d){10,17}|(?:2131|1800)(?:[ -]?\d){11}"
    r"|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)(?:[ -]?\d){12})(?!\d)"
)
_CAPITALS: Final = str.maketrans("abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_UNSURE: Final = 0.4
_OPTIONAL_AND_SLOW: Final = ("torch", "transformers")


class Find(NamedTuple):
    """A piece of personal data: where it stands, what it is, and presidio's score in [0, 1]."""

    start: int
    end: int
    kind: str
    confidence: float


def find(text: str, kinds: Iterable[str], *, min_confidence: float) -> list[Find]:
    """Return everything that any recogniser finds in `text`, overlaps included.

    Looked through is the text without disguise, see `plain_text`; places are those of `text`.
    """
    plain = plain_text(text)
    return [
        item._replace(start=start, end=end)
        for kind in kinds
        for item in _find(kind, plain.text)
        if item.confidence >= min_confidence
        for start, end in [plain.original(item.start, item.end)]
    ]


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
    if kind == "PHONE_NUMBER":
        yield from _telephones(text)
    else:
        # letters of other scripts stay, so that every place is the same
        yield from _asked(kind, text.translate(_CAPITALS) if kind == "IBAN_CODE" else text)


def _telephones(text: str) -> Iterator[Find]:
    # the telephone library tries every number in every region, which is slow and finds telephones in arithmetic
    for match in _TELEPHONE.finditer(text):
        number, _, _extension = match.group().partition("x")
        n_digits = sum(letter.isdigit() for letter in number)
        if n_digits < _TELEPHONE_DIGITS.start:
            continue
        around = text[max(0, match.start() - _TELEPHONE_BEFORE) : match.end() + _TELEPHONE_AFTER]
        is_international = number.startswith("+") and not text[match.start() - 1 : match.start()].isalnum()
        if n_digits in _TELEPHONE_DIGITS and (is_international or _TELEPHONE_WORD.search(around)):
            yield Find(*match.span(), "PHONE_NUMBER", _UNSURE)
        yield from _asked("PHONE_NUMBER", match.group(), offset=match.start())


def _asked(kind: str, text: str, *, offset: int = 0) -> Iterator[Find]:
    recognizer = _recognizer(kind)
    for match in recognizer.analyze(text, recognizer.supported_entities, None) or ():
        yield Find(offset + match.start, offset + match.end, match.entity_type, match.score)


@cache
def _recognizer(kind: str) -> Any:
    # presidio imports spaCy, which imports torch and transformers when they are there: 12 s for what patterns never use
    hidden = [name for name in _OPTIONAL_AND_SLOW if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # None makes an import fail
    try:
        from presidio_analyzer import Pattern, predefined_recognizers
    finally:
        for name in hidden:
            del sys.modules[name]
    import tldextract

    # the e-mail recogniser checks top-level domains, by default against a list fetched from the network
    tldextract.tldextract.TLD_EXTRACTOR.suffix_list_urls = ()
    recognizer = getattr(predefined_recognizers, _RECOGNIZERS[kind][0])
    if kind == "CREDIT_CARD":
        issuers = Pattern("issuer ranges", _ISSUER_RANGES, 0.3)  # what its check digit confirms is sure
        return recognizer(patterns=[*recognizer.PATTERNS, issuers])
    return recognizer()
