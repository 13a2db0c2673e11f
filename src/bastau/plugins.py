"""The one door for plug-ins: entry points ``bastau.collectors``, ``bastau.formats``, ``bastau.stages``, ``bastau.rules``,
``bastau.encoders`` and ``bastau.commands`` (commands of packages above the core)."""

from importlib.metadata import entry_points
from typing import Any

from bastau.errors import ConfigError


def load(kind: str, name: str) -> Any:
    """Return what the entry point ``name`` of group ``bastau.<kind>`` offers.

    Raises:
        ConfigError: nobody offers it, or two packages do.
    """
    offers = entry_points(group=f"bastau.{kind}")
    match [offer for offer in offers if offer.name == name]:
        case [offer]:
            return offer.load()
        case []:
            known = ", ".join(sorted(offers.names)) or "none installed"
            raise ConfigError(f"no {kind} called {name!r}; known: {known}")
        case rivals:
            raise ConfigError(f"{name!r} is offered twice: {', '.join(r.value for r in rivals)}")


def names(kind: str) -> list[str]:
    """Return the names offered in group ``bastau.<kind>``, sorted."""
    return sorted(entry_points(group=f"bastau.{kind}").names)
