"""What a page says of publishing."""

from django import template

from bastau.publishing import Trouble, trouble
from bastau_web.workbench.configuring import the_home

register = template.Library()


@register.simple_tag
def publishing_trouble() -> Trouble | None:
    """Return what went wrong when the shield list was last published, None if it went well."""
    return trouble(the_home())
