"""Alerts: rules over what a run found and over watched sources, told by e-mail, webhook, notification service or a feed.

Their subjects are narratives, publishers' groups and sources, never a person. Words of posts are not sent unless the rule asks.
"""

from bastau.alerts.commands import after_run

__all__ = ["after_run"]
