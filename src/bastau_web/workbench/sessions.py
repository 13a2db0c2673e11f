"""Sessions in the database, each with the account that it belongs to."""

from typing import Any

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore

AGENT = "agent"
"""Key under which the browser's name is kept in a session."""


class SessionStore(DatabaseStore):
    """Writes account and browser beside the session, for the list of one's own sessions."""

    @classmethod
    def get_model_class(cls) -> Any:
        """Return the table of sessions."""
        from bastau_web.workbench.models import Session

        return Session

    def create_model_instance(self, data: dict[str, Any]) -> Any:
        """Return the row for ``data``, keeping when the session began."""
        row: Any = super().create_model_instance(data)
        row.account_id = int(data[SESSION_KEY]) if data.get(SESSION_KEY) else None
        row.agent = str(data.get(AGENT, ""))
        before = (
            self.get_model_class()
            .objects.filter(session_key=row.session_key)
            .values_list("started_at", flat=True)
            .first()
        )
        if before is not None:
            row.started_at = before
        return row
