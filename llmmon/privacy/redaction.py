"""Personal data out of a request before it is stored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
import regex

from llmmon.config import PrivacyConfig
from llmmon.errors import BadRowError, ConfigError
from llmmon.model import Document, Message, RequestLog
from llmmon.privacy.keys import VARIABLE, master_key
from llmmon.privacy.names import NameFinder
from llmmon.privacy.plain_text import plain_text
from llmmon.privacy.recognizers import PLACEHOLDER, TYPES, Find, find

_PATTERN_SECONDS: Final = 1.0
"""How long a pattern may look at one text; what it cannot be done with by then is not stored."""


@dataclass(frozen=True, slots=True)
class Redactor:
    """Replaces personal data in the texts of requests by its type, such as ``<EMAIL_ADDRESS>``.

    Looked at are messages, documents, the answer, the reference answer, parameters, groups, tags, and why a request
    ended or failed. Names by which requests are told apart or grouped (request id, deployment, model, route, tenant,
    language, conversation) are not.

    Parameters
    ----------
    settings : PrivacyConfig
        What to look for.

    Raises
    ------
    ConfigError
        When a type is unknown, a pattern or the model of names cannot be used, or there is no key to keep rows that
        cannot be redacted under.
    """

    settings: PrivacyConfig
    _kinds: tuple[str, ...] = field(init=False)
    _patterns: tuple[tuple[str, regex.Pattern[str]], ...] = field(init=False)
    _names: NameFinder | None = field(init=False)

    def __post_init__(self) -> None:
        redact = self.settings.redact
        object.__setattr__(self, "_kinds", redact if isinstance(redact, tuple) else TYPES if redact else ())
        unknown = sorted(set(self._kinds) - set(TYPES))
        if unknown:
            raise ConfigError(f"privacy.redact: no {', '.join(unknown)}; there are: {', '.join(TYPES)}")
        if self.is_on and master_key() is None:
            raise ConfigError(
                f"privacy: {VARIABLE} is not set; rows that cannot be redacted are kept sealed under it, "
                "so redaction needs it. `openssl rand -hex 32` makes one; without personal data in the log say "
                "[privacy] redact = false"
            )
        patterns = tuple((name, _compiled(name, pattern)) for name, pattern in self.settings.patterns.items())
        object.__setattr__(self, "_patterns", patterns)
        object.__setattr__(self, "_names", self.settings.names and NameFinder.load(self.settings.names))

    @property
    def is_on(self) -> bool:
        """Whether anything is looked for."""
        return bool(self._kinds or self.settings.patterns or self.settings.names)

    def redact(self, request: RequestLog) -> RequestLog:
        """Return `request` without what was found, and with how much of each type that was.

        Raises
        ------
        BadRowError
            When looking failed; a row that could not be looked through is quarantined, never stored as it is.
        """
        if not self.is_on:
            return request
        counts: Counter[str] = Counter()
        try:
            clean = msgspec.structs.replace(
                request,
                messages=tuple(
                    Message(role=turn.role, content=self._text(turn.content, counts)) for turn in request.messages
                ),
                documents=tuple(
                    Document(content=self._text(item.content, counts), document_id=item.document_id)
                    for item in request.documents
                ),
                response_text=self._any(request.response_text, counts),
                reference_answer=self._any(request.reference_answer, counts),
                finish_reason=self._any(request.finish_reason, counts),
                error_type=self._any(request.error_type, counts),
                parameters=self._any(request.parameters, counts),
                groups=self._any(request.groups, counts),
                tags=self._any(request.tags, counts),
            )
        except Exception as error:
            raise BadRowError(
                "redaction_failed",
                f"personal data could not be looked for ({type(error).__name__}); not stored as it is",
                user_ref=request.user_ref,
            ) from error
        return msgspec.structs.replace(clean, redacted=dict(sorted(counts.items()))) if counts else request

    def _any(self, value: Any, counts: Counter[str]) -> Any:
        if isinstance(value, str):
            return self._text(value, counts)
        if isinstance(value, Mapping):
            clean: dict[str, Any] = {}
            for key, item in value.items():
                name = self._text(key, counts)
                # two keys that are replaced by the same word stay two
                clean[name if name not in clean else f"{name} {len(clean)}"] = self._any(item, counts)
            return clean
        if isinstance(value, (list, tuple)):
            return [self._any(item, counts) for item in value]
        return value

    def _text(self, text: str, counts: Counter[str]) -> str:
        found = _merged([*self._find(text), *self._find_names(text)])
        # until nothing is left: what one find gives way to can stand beside what hid another
        while found:
            parts, end = [], 0
            for item in found:
                parts += [text[end : item.start], f"<{item.kind}>"]
                counts[item.kind] += 1
                end = item.end
            text = "".join([*parts, text[end:]])
            found = _merged(self._find(text))
        return text

    def _find_names(self, text: str) -> Iterator[Find]:
        if self._names is None:
            return
        plain = plain_text(text)
        placeholders = _placeholders(plain.text)
        for item in self._names.find(plain.text):
            if not _is_inside((item.start, item.end), placeholders):
                start, end = plain.original(item.start, item.end)
                yield item._replace(start=start, end=end)

    def _find(self, text: str) -> list[Find]:
        found = find(text, self._kinds, min_confidence=self.settings.min_confidence)
        if self._patterns:
            plain = plain_text(text)
            placeholders = _placeholders(plain.text)
            found += [
                Find(*plain.original(*match.span()), name, 1.0)
                for name, pattern in self._patterns
                for match in pattern.finditer(plain.text, timeout=_PATTERN_SECONDS)
                if not _is_inside(match.span(), placeholders)
            ]
        return found


def _placeholders(text: str) -> list[tuple[int, int]]:
    return [match.span() for match in PLACEHOLDER.finditer(text)]


def _is_inside(stretch: tuple[int, int], others: list[tuple[int, int]]) -> bool:
    return any(start <= stretch[0] and stretch[1] <= end for start, end in others)


def _merged(found: list[Find]) -> list[Find]:
    """Return finds that overlap as one that covers them all, under the name of the surest; no rest of any stays."""
    merged: list[Find] = []
    for item in sorted(found):
        if merged and item.start < merged[-1].end:
            before = merged[-1]
            surest = max(before, item, key=lambda find: find.confidence)
            merged[-1] = surest._replace(start=before.start, end=max(before.end, item.end))
        else:
            merged.append(item)
    return merged


def _compiled(name: str, pattern: str) -> regex.Pattern[str]:
    where = f"privacy.patterns.{name}"
    try:
        compiled = regex.compile(pattern)
    except regex.error as error:
        raise ConfigError(f"{where}: {pattern!r} is no regular expression: {error}") from None
    if compiled.search(""):
        raise ConfigError(f"{where}: {pattern!r} matches the empty text; expected one that needs a character")
    return compiled
