"""The card beside each collector: terms, limits, expected volume and what is left out on purpose."""

from importlib.resources import files
from typing import Any

import yaml

from bastau.collect.visits import Card
from bastau.errors import ContractError

_FIELDS = frozenset(Card.__dataclass_fields__)


def load_card(name: str) -> Card:
    """Return the card ``name.yaml`` of a built-in collector.

    Raises:
        ContractError: it lacks a field or has one that cards do not have.
    """
    content: dict[str, Any] = yaml.safe_load((files(__package__) / f"{name}.yaml").read_text("utf-8"))
    unknown, missing = set(content) - _FIELDS, {"about", "terms", "checked_on", "limits"} - set(content)
    if unknown or missing:
        raise ContractError(f"card {name}: unknown {sorted(unknown)}, missing {sorted(missing)}")
    fewest, most = content.pop("posts_a_visit", (0, 1000))
    needs, options, ignored = (tuple(content.pop(key, None) or ()) for key in ("needs", "options", "ignored"))
    has_accounts = bool(content.pop("has_accounts", False))
    words = {key: str(value).strip() for key, value in content.items()}
    return Card(
        **words, has_accounts=has_accounts, needs=needs, options=options, posts_a_visit=(fewest, most), ignored=ignored
    )
