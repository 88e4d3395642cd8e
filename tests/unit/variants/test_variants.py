"""As logged, repeated, and mistyped."""

from __future__ import annotations

from random import Random

import pytest

from llmmon.errors import ConfigError
from llmmon.model import Message
from llmmon.variants.as_logged import AsLogged
from llmmon.variants.base import variants
from llmmon.variants.repeat import Repeat
from llmmon.variants.typo import Typo


def test_as_logged_changes_nothing(request_log):
    """The plain replay is the logged input and says that nothing changed."""
    request = request_log()
    (derived,) = AsLogged().derive(request, Random(0))
    assert (derived.messages, derived.documents, derived.change) == (request.messages, request.documents, {})


def test_repeat_yields_k_equal_inputs_at_its_temperature(request_log):
    """Three copies of the input ask for the temperature at which they may differ."""
    request = request_log()
    copies = list(Repeat(k=3, temperature=0.5).derive(request, Random(0)))
    assert [copy.messages for copy in copies] == [request.messages] * 3
    assert [copy.change for copy in copies] == [{"rule": "repeat", "temperature": 0.5}] * 3


def test_a_mistyped_prompt_keeps_numbers_and_the_format_instruction(request_log):
    """Words get mistakes; digits, brackets, quotes, code and the system turn stay."""
    text = 'Is 17077 a prime number? Think step by step, then answer "[Yes]" or "[No]" or `maybe` or [Unknown].'
    request = request_log(
        messages=(Message(role="system", content="Answer honestly please."), Message(role="user", content=text))
    )
    (derived,) = Typo(rate=0.2).derive(request, Random(5))
    system, user = derived.messages
    assert system.content == "Answer honestly please."
    assert user.content != text
    for kept in ("17077", '"[Yes]"', '"[No]"', "`maybe`", "[Unknown]"):
        assert kept in user.content
    changed = derived.change["terms"]
    assert derived.change["rate"] == 0.2
    assert all(term["from"] in text and term["to"] in user.content and term["from"] != term["to"] for term in changed)


def test_a_prompt_without_words_has_no_typo(request_log):
    """Numbers alone, or no user turn, yield nothing rather than an equal copy."""
    for messages in ((Message(role="user", content="17 + 4 = ?"),), (Message(role="system", content="Be honest."),)):
        assert list(Typo().derive(request_log(messages=messages), Random(0))) == []


@pytest.mark.parametrize(
    ("name", "parameters", "expected"),
    [
        ("repeat", {"k": 0}, "1 to 100"),
        ("repeat", {"temperature": 0}, "more than 0"),
        ("typo", {"rate": 0}, "more than 0"),
        ("typo", {"rate": 0.9}, "at most 0.5"),
    ],
)
def test_wrong_parameters_say_what_was_expected(name, parameters, expected):
    """A number outside its range is refused where it stands in the configuration."""
    with pytest.raises(ConfigError, match=expected):
        variants.create(name, parameters, where="lanes.reference.variants")
