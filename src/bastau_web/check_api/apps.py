"""The check API as a Django application."""

from django.apps import AppConfig


class CheckApi(AppConfig):
    """Holds keys, what they used up, and webhooks."""

    name = "bastau_web.check_api"
    label = "check_api"
