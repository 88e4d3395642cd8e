"""People are exchanged and the sentence stays whole."""

from __future__ import annotations

import tomllib
from random import Random

import msgspec
import pytest

from llmmon.errors import ConfigError
from llmmon.model import Document, Message
from llmmon.variants.attribute_swap import AttributeSwap
from llmmon.variants.base import variants
from llmmon.variants.lexicon import FOLDER, attributes, lexicon


@pytest.fixture
def swap(request_log):
    """Return a function: ``swap("age", text)`` is the swapped text, or None when nothing can be swapped."""

    def run(attribute, text, seed=1, **parameters):
        request = request_log(messages=(Message(role="user", content=text),))
        derived = list(AttributeSwap(attribute=attribute, **parameters).derive(request, Random(seed)))
        return derived[0].messages[0].content if derived else None

    return run


@pytest.mark.parametrize(
    ("attribute", "text", "expected"),
    [
        ("age", "The grandfather and the grandson called a cab.", "The grandson and the grandfather called a cab."),
        ("age", "A 28-year-old helped an 84-year-old.", "A 72-year-old helped a 16-year-old."),
        ("age", "An 85 year old man and a 17 year old.", "A 15 year old man and an 83 year old."),
        ("age", "ELDERLY PEOPLE vote. Retirees do.", "YOUNG PEOPLE vote. High school students do."),
        ("gender", "He gave his sister her book.", "She gave her brother his book."),
        ("gender", "She saw him, and the car was his.", "He saw her, and the car was hers."),
        ("gender", "I told her about it. It was hers.", "I told him about it. It was his."),
        ("gender", "Mr Smith married Mary. HE smiled.", "Ms Smith married James. SHE smiled."),
        ("religion", "A Muslim man met Jews.", "A Jewish man met Muslims."),
        ("nationality", "An Irish man and a Thai man.", "A Thai man and an Irish man."),
        ("sexual_orientation", "My gay friend and my straight friend.", "My straight friend and my gay friend."),
        ("appearance", "An obese man and a thin one.", "A thin man and an obese one."),
        (
            "gender",
            "Yell at her loudly, but her only son saw his first film.",
            "Yell at him loudly, but his only daughter saw her first film.",
        ),
        (
            "gender",
            "Mrs Miller, the actress, is Keisha's mother-in-law.",
            "Mr Miller, the actor, is Jamal's father-in-law.",
        ),
        ("gender", "HER BOOK IS HERS; she did it herself.", "HIS BOOK IS HIS; he did it himself."),
        ("race", "Lakisha drank black coffee with a black man.", "Emily drank black coffee with a white man."),
        ("race", "An African American and a Caucasian.", "A Caucasian and an African American."),
        ("religion", "An imam quoted the Torah.", "A rabbi quoted the Quran."),
        ("disability", "A blind person and an autistic student.", "A sighted person and a non-autistic student."),
    ],
)
def test_terms_change_sides_with_case_and_article(swap, attribute, text, expected):
    """Each sentence becomes what a careful writer would write."""
    assert swap(attribute, text) == expected


@pytest.mark.parametrize(
    ("attribute", "text"),
    [
        ("age", "Is 17 a prime number?"),
        ("age", "A 50-year-old oak."),
        ("gender", "The sheep is there; this history chimes."),
        ("nationality", "Please polish the text."),
        ("sexual_orientation", "Go straight ahead in a straight line."),
        ("disability", "That is my blind spot."),
        ("religion", ""),
        ("gender", "Run `man ls` or see https://example.com/she?her=his and write to him@example.com."),
        ("gender", "```\nhe = her + him\n```\n<PERSON> was here."),
        ("gender", "Lady Gaga sang on Mother's Day."),
        ("gender", "Джон пришёл домой; 彼女は帰った."),
        ("race", "White wine, a black box and a black hole."),
        ("religion", "Christian Dior made a coat."),
    ],
)
def test_a_prompt_without_a_swappable_term_yields_nothing(swap, attribute, text):
    """Nothing is replayed that would equal the logged input."""
    assert swap(attribute, text) is None


def test_what_was_changed_is_told_with_its_rule(request_log):
    """The change names rule, groups and every term; documents are swapped with the prompt, turn by turn."""
    request = msgspec.structs.replace(
        request_log(),
        messages=(Message(role="system", content="Be brief."), Message(role="user", content="Was the grandson late?")),
        documents=(Document(document_id="d1", content="A 70-year-old waited."),),
    )
    (derived,) = AttributeSwap(attribute="age").derive(request, Random(0))
    assert [turn.content for turn in derived.messages] == ["Be brief.", "Was the grandfather late?"]
    assert derived.documents == (Document(document_id="d1", content="A 30-year-old waited."),)
    assert derived.change == {
        "rule": "attribute_swap",
        "attribute": "age",
        "groups": ["old", "young"],
        "terms": [
            {"rule": "kinship", "from": "grandson", "to": "grandfather", "message": 1, "start": 8},
            {"rule": "stated_age", "from": "70-year-old", "to": "30-year-old", "document": 0, "start": 2},
        ],
    }


def test_a_group_named_alone_becomes_several_others(request_log):
    """One replay for each of `max_groups` others, drawn by the seed, each with its direction."""
    request = request_log(messages=(Message(role="user", content="A Muslim man."),))
    derived = list(AttributeSwap(attribute="religion", max_groups=20).derive(request, Random(0)))
    assert [item.messages[0].content for item in derived] == [
        f"{'An' if group == 'Atheist' else 'A'} {group} man."
        for group in lexicon("religion").groups
        if group != "Muslim"
    ]
    assert {item.change["from"] for item in derived} == {"Muslim"}
    assert [item.change["to"] for item in derived][:2] == ["Christian", "Jewish"]
    two = list(AttributeSwap(attribute="religion", max_groups=2).derive(request, Random(0)))
    assert len(two) == 2
    assert two == list(AttributeSwap(attribute="religion", max_groups=2).derive(request, Random(0)))


@pytest.mark.parametrize(
    ("text", "direction"),
    [
        ("She told her mother about him.", ("female", "male")),
        ("He asked her.", (None, None)),
        ("He said that he knew her.", ("male", "female")),
    ],
)
def test_the_direction_is_that_of_most_terms(request_log, text, direction):
    """A swap has the direction of the group named more often, and none where both are named alike."""
    (derived,) = AttributeSwap(attribute="gender").derive(
        request_log(messages=(Message(role="user", content=text),)), Random(0)
    )
    assert (derived.change.get("from"), derived.change.get("to")) == direction


def test_with_one_group_named_the_other_is_drawn_by_the_seed(swap):
    """The same seed draws the same religion, twenty seeds draw several, and `between` fixes it."""
    drawn = [swap("religion", "A Muslim man.", seed=seed) for seed in range(20)]
    assert drawn == [swap("religion", "A Muslim man.", seed=seed) for seed in range(20)]
    assert len(set(drawn)) > 3
    assert "A Muslim man." not in drawn
    assert swap("religion", "A Muslim man.", between=("Muslim", "Sikh")) == "A Sikh man."
    assert swap("religion", "A Hindu man.", between=("Muslim", "Sikh")) is None


@pytest.mark.parametrize("attribute", attributes())
def test_every_lexicon_states_its_source_and_licence(attribute):
    """A lexicon loads (each term in one place, each row complete) and says where it comes from."""
    raw = tomllib.loads((FOLDER / f"{attribute}.toml").read_text("utf-8"))
    assert raw["source"]
    assert raw["licence"]
    assert len(lexicon(attribute).groups) >= 2


def test_a_lexicon_of_a_team_adds_terms_or_an_attribute(swap, tmp_path):
    """A file adds terms and protected phrases to a lexicon that ships, or defines an attribute of its own."""
    more = tmp_path / "more.toml"
    more.write_text(
        'attribute = "gender"\ngroups = ["male", "female"]\nprotected = ["Sir Galahad"]\n'
        '[rules.ours]\nterms = [["ombudsman", "ombudswoman"]]\n'
    )
    text = "The ombudsman met Sir Galahad and his sister."
    swapped = "The ombudswoman met Sir Galahad and her brother."
    assert swap("gender", text, lexicons=[str(more)]) == swapped
    own = tmp_path / "caste.toml"
    own.write_text('attribute = "caste"\ngroups = ["Brahmin", "Dalit"]\n[rules.name]\ncase_sensitive = true\n')
    assert swap("caste", "A Dalit came.", lexicons=[str(own)]) == "A Brahmin came."


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("groups = [", "cannot be read"),
        ('groups = ["male", "female"]\n[rules.x]\nterms = [["a", "b"]]', "attribute is None; expected 'gender'"),
        ('attribute = "gender"\ngroups = ["m", "f"]\n[rules.x]\nterms = [["a", "b"]]', "groups are .'m', 'f'."),
        ('attribute = "gender"\ngroups = ["male"]\n[rules.x]\nterms = [["a"]]', "two or more different names"),
        ('attribute = "gender"\ngroups = ["male", "female"]', "at least one table"),
        (
            'attribute = "gender"\ngroups = ["male", "female"]\n[rules.x]\nterms = [["a"]]',
            "does not have the 2 columns",
        ),
        ('attribute = "gender"\ngroups = ["male", "female"]\n[rules.x]\nterm = []', "unknown key 'term'"),
        ('attribute = "gender"\ngroups = ["male", "female"]\n[rules.x]\nterms = [["he", "it"]]', "stands in pronoun"),
        ('attribute = "gender"\ngroups = ["male", "female"]\n[rules.x]\nonly = "it"', "only is 'it'"),
        ('attribute = "gender"\ngroups = ["male", "female"]\n[rules.x]\nmirror = "a"', "mirror is 'a'"),
    ],
)
def test_a_wrong_lexicon_says_where_and_what(tmp_path, text, expected):
    """File, rule, what was found and what was expected."""
    path = tmp_path / "own.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=expected) as raised:
        variants.create("attribute_swap", {"attribute": "gender", "lexicons": [str(path)]}, where="lanes.a.variants")
    assert str(path) in str(raised.value)


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"attribute": "religion", "max_groups": 0}, "at least 1"),
        ({"attribute": "gender", "lexicons": ["/nowhere.toml"]}, "cannot be read"),
        ({"attribute": "shoe_size"}, "age, appearance, disability"),
        ({"attribute": "religion", "between": ["Muslim"]}, "expected two of"),
        ({"attribute": "religion", "between": ["Muslim", "Jedi"]}, "expected two of"),
    ],
)
def test_wrong_parameters_say_what_was_expected(parameters, expected):
    """An unknown attribute or group is refused with those there are."""
    with pytest.raises(ConfigError, match=expected):
        variants.create("attribute_swap", parameters, where="lanes.reference.variants")
