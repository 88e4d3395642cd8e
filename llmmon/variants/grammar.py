"""What keeps an English sentence whole when a word in it is exchanged: case, a and an, and the forms of his and her."""

from __future__ import annotations

import re
from typing import Final

NEXT_WORD: Final = re.compile(r"\s+([\w']+)")
ARTICLE: Final = re.compile(r"\b(a|an)(\s+)$", re.IGNORECASE)
"""An article at the end of what stands before a term."""
_VOWEL_SOUND: Final = re.compile(
    r"(?!uni|use|usu|eu|one\b|ukr|uru|uga)[aeiou]|hour|honest|heir|8|11\b|18\b", re.IGNORECASE
)
_CLOSED: Final = frozenset(
    re.findall(
        r"\w+",
        "a about after again although am an and are as at be because been before but by can could did do does during "
        "for from had has have he how i if in into is it later may might must never nor not now of off on once or out "
        "over shall she should since so some soon than that the their them then there these they this those though to "
        "today together tomorrow too twice unless until up very was we were what when where whether which while who "
        "whose why will with within without would yesterday yet you your",
    )
)
"""Words that begin no noun phrase of which something could be possessed."""
_NO_NOUN_AFTER_HER: Final = _CLOSED | frozenset(
    re.findall(
        r"\w+",
        "all alone along another any anything anyway anywhere around away back bad better both down each either enough "
        "every everything everywhere first forever forward from here home how instead know less like more much next "
        "nothing off often one more nowhere something somewhere two three under well whatever",
    )
)
_ADVERB: Final = re.compile(r"\w{3,}ly")
_LY_BEFORE_NOUN: Final = frozenset(
    re.findall(
        r"\w+",
        "assembly belly bully costly daily deadly early elderly family fly friendly holy italy jelly kindly likely "
        "lively lonely lovely monthly monopoly motherly fatherly newly nightly only orderly quarterly reply sickly "
        "silly supply ugly unlikely weekly yearly",
    )
)


def like(pattern: str, word: str) -> str:
    """Write `word` in the case of `pattern`."""
    if len(pattern) > 1 and pattern.isupper():
        return word.upper()
    return word[0].upper() + word[1:] if pattern[0].isupper() else word


def article(match: re.Match[str], following: str) -> str:
    """Return the article of an `ARTICLE` match, with its space, as it is said before `following`."""
    word = "an" if _VOWEL_SOUND.match(following) else "a"
    if match[1].isupper() and len(match[1]) == 2:
        word = word.upper()
    elif match[1][0].isupper():
        word = word.capitalize()
    return word + match[2]


def other_pronoun(pronoun: str, text: str, end: int) -> str:
    """Return the counterpart of him, his, her or hers (lower case), which ends at `end` of `text`.

    Notes
    -----
    *Her* is *his* where it possesses the noun that follows and *him* where it is an object; *his* is *her* before a
    noun and *hers* alone. What follows decides: a word that begins no noun phrase, an adverb in -ly or the end of the
    clause means that nothing is possessed. Verbs with two objects ("gave her advice") are taken for possession.

    Examples
    --------
    >>> other_pronoun("her", "I saw her yesterday.", 9), other_pronoun("his", "his book", 3)
    ('him', 'her')
    """
    if pronoun in ("him", "hers"):
        return {"him": "her", "hers": "his"}[pronoun]
    following = NEXT_WORD.match(text, end)
    word = "" if following is None else following[1].lower()
    if pronoun == "his":
        return "her" if word and word not in _CLOSED else "hers"
    is_adverb = _ADVERB.fullmatch(word) is not None and word not in _LY_BEFORE_NOUN
    return "his" if word and word not in _NO_NOUN_AFTER_HER and not is_adverb else "him"
