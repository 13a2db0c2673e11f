"""The workbench as a Django application."""

from django.apps import AppConfig


class Workbench(AppConfig):
    """Registers the system checks."""

    name = "bastau_web.workbench"
    label = "workbench"

    def ready(self) -> None:
        """Let Django know the checks."""
        from bastau_web.workbench import checks  # noqa: F401 - registers itself
