"""Labels that people gave, one row a line."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

import msgspec

from llmmon.errors import SourceUnavailableError
from llmmon.model import LOGGED, Document, Message, Scorable

T = TypeVar("T")
EXPECTED: Final = (
    'JSON lines with {"prompt", "context": [..], "response", "label": 0|1, "spans": [[start, end], ..]?, ..}'
)


class LabelledRow(msgspec.Struct, frozen=True, kw_only=True):
    """A response and what people say of it.

    Parameters
    ----------
    label : int
        1 marks what a scorer is there to find: the refusal, the unsupported answer.
    spans : tuple of (start, end) or None
        The stretches of `response` that people marked, ends exclusive; None where nobody marked any.
    group : str, int or None
        Name of a part of the rows that figures are also told for.
    siblings, sibling_logprobs, mean_logprob
        Of scorers over replays: the other replays' texts, and mean log-probabilities, as `Scorable` has them.
    """

    response: str | None
    label: Literal[0, 1]
    prompt: str = ""
    context: tuple[str, ...] | None = None
    id: str | int | None = None
    spans: tuple[tuple[int, int], ...] | None = None
    group: str | int | None = None
    reference_answer: str | None = None
    siblings: tuple[str, ...] = ()
    sibling_logprobs: tuple[float | None, ...] = ()
    mean_logprob: float | None = None

    def __post_init__(self) -> None:
        length = len(self.response or "")
        for start, end in self.spans or ():
            if not 0 <= start < end <= length:
                raise ValueError(f"a span from {start} to {end} of a response of {length} characters")


def labelled_rows(path: Path) -> Iterator[tuple[LabelledRow, Scorable]]:
    """Yield the rows of a labels file, each also as scorers see it.

    Parameters
    ----------
    path : Path
        JSON lines, plain or gzip (``.gz``); fields of other names are passed over.

    Raises
    ------
    SourceUnavailableError
        When the file cannot be read or a row is not of that kind; names the line and the field.
    """

    def parse(line: Any, number: int) -> tuple[LabelledRow, Scorable]:
        row = msgspec.convert(line, LabelledRow)
        documents = tuple(Document(content=text) for text in row.context or ())
        messages = (Message(role="user", content=row.prompt),)
        response = to_judge(
            number,
            row.response,
            messages=messages,
            documents=documents,
            reference_answer=row.reference_answer,
            siblings=row.siblings,
            sibling_logprobs=row.sibling_logprobs,
            mean_logprob=row.mean_logprob,
        )
        return row, response

    return json_lines(path, parse, expected=EXPECTED)


def json_lines(path: Path, parse: Callable[[Any, int], T], *, expected: str) -> Iterator[T]:
    """Yield what `parse` makes of each line of `path`, given with its number.

    Parameters
    ----------
    path : Path
        JSON lines, plain or gzip.
    expected : str
        What the file must hold, for the error.

    Raises
    ------
    SourceUnavailableError
        When the file cannot be read or a line lacks something; names the line.
    """
    number = 0
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield parse(json.loads(line), number)
    except (OSError, EOFError, zlib.error, msgspec.ValidationError, KeyError, TypeError, ValueError) as error:
        raise SourceUnavailableError(
            f"{path}: line {number}: {type(error).__name__}: {error}; expected {expected}"
        ) from error


def to_judge(number: int, text: str | None, **context: Any) -> Scorable:
    """Return a labelled text as scorers see a logged response."""
    given: dict[str, Any] = {"messages": (), "documents": (), **context}
    return Scorable(request_key=number, lane=LOGGED, variant="as_logged", repeat=0, text=text, **given)
