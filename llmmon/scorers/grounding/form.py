"""What can be read off an answer alone, word by word: features that need no context."""

from __future__ import annotations

from typing import Final

import numpy as np

from llmmon.scorers.grounding.words import Words

NEGATIONS: Final = frozenset(
    "no not unable never none nor cannot can't don't doesn't isn't aren't won't wasn't without neither nothing".split()  # noqa: SIM905
)
_HEDGES: Final = frozenset(
    """may might could can possibly likely generally typically usually often sometimes however additionally overall
    important note recommend recommended consult always ensure help""".split()  # noqa: SIM905
)
_ABOUT_CONTEXT: Final = frozenset(
    """passage passages provided given based text context information document documents mentioned according mention
    stated answer question""".split()  # noqa: SIM905
)


def form(answer: Words) -> dict[str, object]:
    """Return what can be read off the answer alone."""
    n, text = len(answer), answer.text
    after = [text[last:first] for last, first in zip(answer.end, [*answer.start[1:], len(text)], strict=True)]
    before = [text[: answer.start[0]], *after[:-1]]
    position = np.arange(n)
    first_of = np.searchsorted(answer.sentence, answer.sentence)
    length = np.bincount(answer.sentence)[answer.sentence]
    first_use = {stem: place for place, stem in reversed(list(enumerate(answer.stems)))}
    return {
        "seen": [first_use[stem] < place for place, stem in enumerate(answer.stems)],
        "stop": answer.stop,
        "number": [word[0].isdigit() for word in answer.lower],
        "capital": [text[place].isupper() for place in answer.start],
        "weight": answer.weight,
        "rank": np.log1p(answer.rank) / 10,
        "pieces": np.log(np.maximum(answer.pieces, 1)),
        "negation": [word in NEGATIONS for word in answer.lower],
        "hedge": [word in _HEDGES for word in answer.lower],
        "about_context": [word in _ABOUT_CONTEXT for word in answer.lower],
        "letters": np.log1p(answer.end - answer.start),
        "first": position == first_of,
        "comma": ["," in gap for gap in after],
        "colon": [":" in gap for gap in after],
        "stops": [any(mark in gap for mark in ".!?") for gap in after],
        "new_line": ["\n" in gap for gap in before],
        "bracket": ["(" in gap for gap in before],
        "quote": ['"' in gap or "\u201c" in gap for gap in before],
        "position": position / n,
        "from_start": np.log1p(position) / 5,
        "to_end": np.log1p(n - position) / 5,
        "sentence": np.log1p(answer.sentence),
        "sentences_left": np.log1p(answer.sentence[-1] - answer.sentence),
        "in_sentence": (position - first_of + 1) / length,
        "sentence_length": np.log1p(length),
        "answer_length": np.full(n, np.log1p(n) / 5),
    }
