"""The record of what was done to accounts, for auditors: who changed whose roles, and when."""

from bastau_web.workbench.models import AccountAct

ACTS = (
    "added",
    "invited",
    "joined",
    "roles",
    "person",
    "identity_set",
    "identity_removed",
    "disabled",
    "enabled",
    "password",
    "factor_set",
    "factor_removed",
    "recovery_codes",
    "sessions_ended",
)


def record(by: str, account: str, act: str, before: str = "", after: str = "") -> None:
    """Add a row; ``by`` is the name of the account that acts, empty on the command line."""
    assert act in ACTS
    AccountAct.objects.create(by=by, account=account, act=act, detail=f"{before} → {after}" if before else after)
