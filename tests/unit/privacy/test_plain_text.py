"""Text without disguise, and the way back to where every letter stood."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from llmmon.privacy.plain_text import plain_text

ODD = "\u200b\u00ad\ufeff\u2060\u034f\uff11\u0661\u0967\U0001d7d8\u2011\u2212\u00a0\u3000\uff21\u00b2\ufb01"


@given(st.text(alphabet=st.one_of(st.characters(), st.sampled_from(ODD)), max_size=40))
def test_every_stretch_leads_back_to_a_stretch_that_makes_it(text):
    """Whatever the letters: the original stretch, looked at by itself, holds what was found in the whole."""
    disguise = "\u200b"
    plain = plain_text(text + disguise)
    for start in range(len(plain.text)):
        for end in range(start + 1, min(len(plain.text), start + 5) + 1):
            first, last = plain.original(start, end)
            assert 0 <= first < last <= len(text)
            # another disguise makes the stretch be looked at letter by letter, as the whole was
            assert plain.text[start:end] in plain_text(text[first:last] + disguise).text


@given(st.text(alphabet=st.characters(), max_size=40))
def test_no_digit_of_another_script_and_no_invisible_letter_is_left(text):
    """And what has no disguise stays letter by letter."""
    plain = plain_text(f"{text}\u200b").text
    assert not [letter for letter in plain if unicodedata.category(letter) in {"Nd", "Cf"} and not letter.isascii()]
    assert plain_text("caf\u00e9 \u0416 12-34").text == "caf\u00e9 \u0416 12-34"
