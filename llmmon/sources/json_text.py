"""Hostile JSON, read: what is broken is refused with a code, what Postgres refuses is cleaned and named.

Of a key that occurs twice in one object the last value counts, as in every common JSON reader.
"""

from __future__ import annotations

import json
import math
from typing import Any, Final, NoReturn

import msgspec

from llmmon.errors import BadRowError

MAX_LINE_BYTES: Final = 16 * 2**20
BOM: Final = b"\xef\xbb\xbf"
_REPLACEMENT: Final = "\ufffd"
_decode = msgspec.json.Decoder().decode


def read_object(raw: bytes) -> tuple[dict[str, Any], tuple[str, ...]]:
    r"""Read one JSON object.

    Parameters
    ----------
    raw : bytes
        UTF-8; a byte-order mark is passed over.

    Returns
    -------
    dict, tuple of str
        The object, and the dotted paths at which NUL or lone surrogates became U+FFFD.

    Raises
    ------
    BadRowError
        Of code ``line_too_long``, ``invalid_utf8``, ``malformed_json``, ``number_out_of_range``, ``too_deep`` or
        ``wrong_type``.

    Examples
    --------
    >>> read_object(b'{"a": "x\\u0000y"}')
    ({'a': 'x\ufffdy'}, ('a',))
    """
    if len(raw) > MAX_LINE_BYTES:
        raise BadRowError("line_too_long", f"longer than {MAX_LINE_BYTES} bytes")
    cleaned: list[str] = []
    value = read_any(raw.removeprefix(BOM), cleaned)
    if not isinstance(value, dict):
        raise BadRowError("wrong_type", "the line: expected a JSON object")
    return value, tuple(cleaned)


def read_any(raw: bytes, cleaned: list[str]) -> Any:
    """Return any JSON value, adding to `cleaned` the paths at which text was changed; raises `BadRowError`."""
    try:
        try:
            value = _decode(raw)
            suspicious = b"\\u0000" in raw
        except ValueError:  # msgspec refuses lone surrogates, which real logs contain
            value, suspicious = _read_leniently(raw), True
        return _clean(value, "", cleaned) if suspicious else value
    except RecursionError:
        raise BadRowError("too_deep", "nested too deeply to be read") from None


def unpacked(value: Any, field: str, cleaned: list[str]) -> Any:
    """Return the object or list that the text `value` holds as JSON, else the value as it is.

    Paths at which text was changed are added to `cleaned`, behind the name `field`.
    """
    if not isinstance(value, str) or not value.lstrip().startswith(("{", "[")):
        return value
    changed: list[str] = []
    try:
        found = read_any(value.encode(), changed)
    except BadRowError:  # a text that only begins like JSON, or JSON that its logger cut
        return value
    cleaned += [f"{field}.{path}" for path in changed]
    return found


def is_whole(raw: bytes) -> bool:
    """Return whether `raw` is one whole JSON object or list, as the prefix of one never is."""
    try:
        return isinstance(read_any(raw.removeprefix(BOM), []), (dict, list))
    except BadRowError:
        return False


def _read_leniently(raw: bytes) -> Any:
    try:
        words = raw.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError as error:
        raise BadRowError("invalid_utf8", f"byte {error.start} of the line is not UTF-8") from None
    try:
        return json.loads(words, parse_constant=_refuse_constant, parse_float=_finite)
    except json.JSONDecodeError as error:
        raise BadRowError(
            "malformed_json", f"{error.msg.removesuffix(' at')} at character {error.pos} of the line"
        ) from None
    except ValueError:  # Python reads no whole number of more than 4,300 digits
        raise BadRowError("number_out_of_range", "a whole number of thousands of digits") from None


def _refuse_constant(word: str) -> NoReturn:
    raise BadRowError("malformed_json", f"{word} is not JSON")


def _finite(digits: str) -> float:
    found = float(digits)
    if not math.isfinite(found):
        raise BadRowError("number_out_of_range", "a number beyond double precision")
    return found


def _clean(value: Any, path: str, cleaned: list[str]) -> Any:
    if isinstance(value, str):
        storable = value.replace("\0", _REPLACEMENT)
        if not storable.isascii():
            storable = _join_surrogates(storable)
        if storable != value:
            cleaned.append(path)
        return storable
    if isinstance(value, dict):
        return {
            _clean(key, f"{path}.*" if path else "*", cleaned): _clean(item, _join(path, key), cleaned)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_clean(item, f"{path}[{index}]", cleaned) for index, item in enumerate(value)]
    return value


def _join(path: str, key: str) -> str:
    words = _join_surrogates(key.replace("\0", _REPLACEMENT))
    return f"{path}.{words}" if path else words


def _join_surrogates(value: str) -> str:
    # UTF-16 joins the two halves of a pair that were written as two escapes, and only then is a half lone
    return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
