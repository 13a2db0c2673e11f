"""Errors, grouped by who must act. Each names its place, never the words of a post."""

from typing import ClassVar


class BastauError(Exception):
    """Any error that bastau raises on purpose; ``exit_code`` is what the command line returns."""

    exit_code: ClassVar[int] = 1


class ConfigError(BastauError):
    """The operator must change a setting, a path, a file or a command."""

    exit_code = 2


class InputError(ConfigError):
    """A file that was handed in cannot be read as anything known; names the file and what to do."""


class HomeBusy(ConfigError):
    """Another process writes to the same home folder."""


class DiskFull(ConfigError):
    """No space is left where the lake lives; nothing acknowledged was lost."""


class Refused(ConfigError):
    """A rule of review forbids the act; nothing was written. ``code`` names the rule."""

    def __init__(self, code: str, detail: str):
        super().__init__(detail)
        self.code = code


class SourceUnavailable(BastauError):
    """A source did not answer; trying again later may help."""

    exit_code = 3


class SourceChanged(BastauError):
    """A source answers in a form nobody mapped; a developer must look."""

    exit_code = 3


class ContractError(BastauError):
    """Our bug: a stage or table broke its declared contract."""


class LakeDamaged(BastauError):
    """A stored file cannot be read; ``bastau doctor --repair`` sets it aside."""


class LogDamaged(LakeDamaged):
    """The log of review is not as it was written, so nothing can be decided on it; ``bastau log verify`` says more."""
