"""The prompts that the sentinel sends: the set that llmmon ships, or a file of one's own."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field, ValidationError

from llmmon.config import SentinelConfig
from llmmon.config.record import Name, Record
from llmmon.errors import ConfigError
from llmmon.model import Message, digest_of

SHIPPED: Final = Path(__file__).with_name("probe_prompts.toml")


class Prompt(Record):
    """One prompt: its name, what the user says and, where there is one, the system prompt before it."""

    name: Name
    text: str = Field(min_length=1)
    system: str | None = Field(None, min_length=1)

    @property
    def messages(self) -> tuple[Message, ...]:
        """The prompt as turns of a chat."""
        before = () if self.system is None else (Message(role="system", content=self.system),)
        return (*before, Message(role="user", content=self.text))

    def key(self, sentinel: SentinelConfig) -> str:
        """Return its name and a digest of all that its answers depend on; asked differently it is another prompt."""
        asked = [self.system, self.text, sentinel.temperature, sentinel.max_tokens]
        return f"{self.name}@{digest_of(asked).hex()[:8]}"


class _File(Record):
    prompts: Annotated[tuple[Prompt, ...], Field(min_length=1)]


def load_prompts(sentinel: SentinelConfig, *, where: str) -> tuple[Prompt, ...]:
    """Return the prompts of a sentinel.

    Parameters
    ----------
    where : str
        Place of the sentinel in llmmon.toml, for error messages.

    Raises
    ------
    ConfigError
        When the file cannot be read, a prompt lacks its name or text, or two have one name.
    """
    path = Path(sentinel.prompts) if sentinel.prompts is not None else SHIPPED
    here = f"{where}.prompts: {path}"
    try:
        prompts = _File.model_validate(tomllib.loads(path.read_text("utf-8"))).prompts
    except ValidationError as error:
        problem = error.errors()[0]
        key = ".".join(str(part) for part in problem["loc"])
        raise ConfigError(
            f"{here}: {key}: {problem['msg']}; expected [[prompts]] with name, text and perhaps system"
        ) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{here}: cannot be read: {error}") from error
    names = [prompt.name for prompt in prompts]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(f"{here}: two prompts are called {', '.join(map(repr, twice))}; give each its own name")
    return prompts
