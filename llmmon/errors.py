"""Everything llmmon raises on purpose.

LlmmonError                     root; ``exit_code`` is what the command line returns
├── ConfigError                 llmmon.toml is wrong: names the key, where it stands, what was expected
├── PluginError                 a registry cannot give what was asked
│   ├── UnknownPluginError      no plug-in of that name
│   └── DuplicatePluginError    two plug-ins claim one name
├── BadRowError                 one line of a log cannot become a request log; it goes to quarantine
│   └── NotARequestError        it records something else than a request to a model; it is counted and passed over
├── SourceUnavailableError      a log file, bucket or table cannot be read
├── GateError                   a batch failed its Great Expectations gate and was held back
├── StoreError                  Postgres refused
│   ├── StoreUnavailableError   Postgres cannot be reached
│   └── SchemaVersionError      the database is older or newer than this code
├── SealError                   a sealed text does not open with the key at hand
├── UnknownRowError             no quarantined row has this number
├── LedgerError                 the audit trail is not the one that was signed, or a proof cannot be made
├── BatchError                  a batch cannot be decided on as asked
│   ├── UnknownBatchError       no batch has this number
│   └── BatchStateError         it is not held, as when somebody else was faster
├── AccountingError             the sums of a window do not close
├── ReplayError                 a replay could not be made
│   ├── ModelNotFoundError      weights or tokenizer are not where the setting says
│   ├── BackendUnavailableError the endpoint or device does not answer
│   └── GpuOutOfMemory          one item alone does not fit on the device
├── AlertError                  an alert cannot be changed as asked
│   ├── UnknownAlertError       no alert has this id
│   └── AlertStateError         its state does not allow it, as when somebody else was faster
├── ReproductionError           an alert's numbers do not come out again, and nothing stored says why
├── DeliveryError               a channel did not take an alert; ``permanent`` says whether trying again can help
└── EmbeddedStackError          a process of ``llmmon up`` did not start, or a port is taken

A message says what, where, what was expected and what to do next.
"""

from __future__ import annotations

from typing import Final

DATA_ERRORS: Final = (ArithmeticError, LookupError, TypeError, ValueError)
"""What a metric or a scorer may raise over strange data; anything else is a bug and ends the stage."""


class LlmmonError(Exception):
    """Root of every error llmmon raises on purpose."""

    exit_code = 1


class ConfigError(LlmmonError):
    """The configuration is wrong; nothing was run."""

    exit_code = 2


class PluginError(LlmmonError):
    """A registry cannot give what was asked for."""

    exit_code = 2


class UnknownPluginError(PluginError):
    """No plug-in of that kind has this name."""


class DuplicatePluginError(PluginError):
    """Two plug-ins of one kind claim the same name."""


class BadRowError(LlmmonError):
    """One line of a log cannot become a request log.

    Parameters
    ----------
    code : str
        Short stable word for counting, such as ``malformed_json``.
    reason : str
        Sentence for a person.
    user_ref : str or None
        Pseudonym of its user, where the line could be read that far.
    """

    def __init__(self, code: str, reason: str, *, user_ref: str | None = None) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.user_ref = user_ref


class NotARequestError(BadRowError):
    """One line of a log is whole and records something else than a request to a model.

    Parameters
    ----------
    kind : str
        What it records, in words that do not come from the log: rows passed over are counted by it.
    """

    def __init__(self, kind: str) -> None:
        super().__init__("not_a_request", kind)


class SourceUnavailableError(LlmmonError):
    """A log file, bucket or table cannot be read."""

    exit_code = 3


class GateError(LlmmonError):
    """A batch failed its Great Expectations gate and was held back."""

    exit_code = 4


class StoreError(LlmmonError):
    """Postgres refused a statement.

    Parameters
    ----------
    message : str
        Sentence for a person.
    transient : bool
        True when the same transaction can succeed at once (a deadlock, a lock that was not had, a lost connection).
    """

    exit_code = 5

    def __init__(self, message: str, *, transient: bool = False) -> None:
        super().__init__(message)
        self.transient = transient


class StoreUnavailableError(StoreError):
    """Postgres cannot be reached."""


class SchemaVersionError(StoreError):
    """The database schema and this code do not belong together."""


class SealError(LlmmonError):
    """A sealed text does not open with the key at hand."""

    exit_code = 2


class UnknownRowError(LlmmonError):
    """No quarantined row has this number."""

    exit_code = 2


class ReviewError(LlmmonError):
    """A review cannot be kept as given."""

    exit_code = 2


class UnknownItemError(ReviewError):
    """No item for review has this number."""


class LedgerError(LlmmonError):
    """The audit trail is not the one whose heads were signed, or what was asked of it cannot be proven."""

    exit_code = 10


class UnknownSubjectError(LlmmonError):
    """Nothing is kept of this subject."""

    exit_code = 2


class BatchError(LlmmonError):
    """A batch cannot be decided on as asked."""

    exit_code = 2


class UnknownBatchError(BatchError):
    """No batch has this number."""


class BatchStateError(BatchError):
    """The batch is not held, as when somebody else was faster."""


class AccountingError(LlmmonError):
    """The requests of a window are not each in exactly one state."""

    exit_code = 6


class ReplayError(LlmmonError):
    """A replay could not be made."""

    exit_code = 7


class ModelNotFoundError(ReplayError):
    """Weights or tokenizer are not where the setting says."""


class BackendUnavailableError(ReplayError):
    """The endpoint or device does not answer."""


class GpuOutOfMemory(ReplayError):
    """A single item does not fit on the device."""


class AlertError(LlmmonError):
    """An alert cannot be changed as asked."""

    exit_code = 10


class UnknownAlertError(AlertError):
    """No alert has this id."""


class AlertStateError(AlertError):
    """The alert's state does not allow this, as when somebody else was faster."""


class ReproductionError(LlmmonError):
    """An alert's numbers do not come out again, and nothing stored says why."""

    exit_code = 11


class DeliveryError(LlmmonError):
    """A channel did not take an alert.

    Parameters
    ----------
    message : str
        What the channel answered.
    permanent : bool
        True when trying again cannot help (a revoked webhook, a refused address).
    """

    exit_code = 8

    def __init__(self, message: str, *, permanent: bool = False) -> None:
        super().__init__(message)
        self.permanent = permanent


class EmbeddedStackError(LlmmonError):
    """A process of the embedded stack did not start or a port is taken."""

    exit_code = 9
