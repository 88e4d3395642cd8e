"""Properties of the variants over generated prompts."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from llmmon.model import Message, RequestLog
from llmmon.variants.attribute_swap import AttributeSwap
from llmmon.variants.lexicon import attributes, lexicon
from llmmon.variants.typo import Typo

TWO_GROUPS = ("age", "appearance", "disability", "gender")


def request(text: str) -> RequestLog:
    return RequestLog(
        source="logs",
        request_id="r",
        occurred_at=datetime(2023, 6, 27, tzinfo=UTC),
        deployment="d",
        model="m",
        messages=(Message(role="user", content=text),),
    )


def swapped(attribute: str, text: str) -> str:
    derived = list(AttributeSwap(attribute=attribute).derive(request(text), Random(0)))
    return derived[0].messages[0].content if derived else text


def is_paired(attribute: str, term: str) -> bool:
    """Return whether the counterpart of a term leads back to it."""
    entry = lexicon(attribute).entry(term)
    assert entry is not None
    other = lexicon(attribute).entry(entry.row[1 - entry.group])
    return other is not None and other.row == entry.row


@st.composite
def sentences(draw: st.DrawFn, attribute: str) -> str:
    words = lexicon(attribute)
    terms = sorted(term for term in words.exact if is_paired(attribute, term)) + sorted(
        {entry.row[entry.group] for term, entry in words.folded.items() if is_paired(attribute, term)}
    )
    forms = st.sampled_from([str, str.upper, lambda term: term[0].upper() + term[1:]])
    pieces = []
    for _ in range(draw(st.integers(1, 6))):
        term = draw(st.sampled_from(terms))
        form = str if term in words.exact else draw(forms)
        pieces.append(f"the {form(term)} {draw(st.sampled_from(['came', 'and then', 'waited for', ',', '17']))}")
    return " ".join(pieces) + "."


@settings(deadline=None)
@given(st.data(), st.sampled_from(TWO_GROUPS))
def test_swapping_twice_gives_the_original(data: st.DataObject, attribute: str) -> None:
    """For every term of a two-group lexicon, in any case, the swap is its own inverse and does change the text."""
    text = data.draw(sentences(attribute))
    once = swapped(attribute, text)
    assert once != text
    assert swapped(attribute, once) == text


@settings(deadline=None)
@given(st.data(), st.sampled_from(TWO_GROUPS))
def test_a_swap_changes_terms_and_nothing_else(data: st.DataObject, attribute: str) -> None:
    """Putting the original terms back in order restores the text: nothing else was touched."""
    text = data.draw(sentences(attribute))
    (derived,) = AttributeSwap(attribute=attribute).derive(request(text), Random(0))
    rest, restored = derived.messages[0].content, ""
    for term in derived.change["terms"]:
        before, _, rest = rest.partition(term["to"])
        restored += before + term["from"]
    assert restored + rest == text


@settings(deadline=None)
@given(st.text(max_size=200), st.sampled_from(attributes()))
def test_what_was_changed_is_where_it_says(text: str, attribute: str) -> None:
    """Every recorded term stands in the input at its place, and a text without one is left alone."""
    derived = list(AttributeSwap(attribute=attribute).derive(request(text), Random(0)))
    for one in derived:
        assert one.change["terms"]
        for term in one.change["terms"]:
            assert text[term["start"] :].startswith(term["from"])


@settings(deadline=None)
@given(
    st.text(st.characters(exclude_categories=["Cs"], min_codepoint=0x250), max_size=200), st.sampled_from(attributes())
)
def test_other_scripts_stay(text: str, attribute: str) -> None:
    """A text without a Latin letter has no term."""
    assert swapped(attribute, text) == text


@settings(deadline=None)
@given(st.integers(1, 99))
def test_a_stated_age_is_mirrored_and_back(age: int) -> None:
    """n becomes 100 - n with the right article, and back."""
    article = "an" if str(age).startswith("8") or age in (11, 18) else "a"
    text = f"I met {article} {age}-year-old."
    assert f"{100 - age}-year-old" in swapped("age", text)
    assert swapped("age", swapped("age", text)) == text


@settings(deadline=None)
@given(
    st.text(st.sampled_from("abcdefghij ,.?0123456789ABC[]\"'\n"), max_size=200),
    st.floats(0.01, 0.5),
    st.integers(0, 2**32),
)
def test_typos_leave_numbers_alone_and_are_told(text: str, rate: float, seed: int) -> None:
    """Digits and bracketed text survive in order, the same seed gives the same mistakes, and a change is a change."""
    variant = Typo(rate=rate)
    derived = list(variant.derive(request(text), Random(seed)))
    assert derived == list(variant.derive(request(text), Random(seed)))
    for one in derived:
        new = one.messages[0].content
        assert new != text
        assert re.findall(r"\d+", new) == re.findall(r"\d+", text)
        assert re.findall(r"\[[^\]]*\]", new) == re.findall(r"\[[^\]]*\]", text)
        assert len(one.change["terms"]) >= 1
