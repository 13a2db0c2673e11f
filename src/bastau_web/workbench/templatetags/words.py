"""Words, numbers, times and addresses in templates. Everything that comes out is escaped, unless the core wrote the markup."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django import template
from django.utils.safestring import SafeString, mark_safe

from bastau.hashing import format_id
from bastau.report import document
from bastau.report.locale import Locale
from bastau_web.workbench.assets import address_of

register = template.Library()


def _locale(context: Mapping[str, Any]) -> Locale:
    locale: Locale = context["locale"]
    return locale


@register.simple_tag(takes_context=True)
def text(context: Mapping[str, Any], key: str, **values: object) -> str:
    """Return the words of ``key``."""
    return _locale(context).text(key, **values)


@register.simple_tag(takes_context=True)
def count(context: Mapping[str, Any], key: str, n: int, **values: object) -> str:
    """Return the plural form of ``key`` for ``n``."""
    return _locale(context).count(key, n, **values)


@register.simple_tag(takes_context=True)
def named(context: Mapping[str, Any], group: str, code: str) -> str:
    """Return the name of a platform, act, kind, ..."""
    return _locale(context).name(group, code)


@register.simple_tag(takes_context=True)
def language(context: Mapping[str, Any], tag: str) -> str:
    """Return the name of a language."""
    return _locale(context).language(tag)


@register.simple_tag(takes_context=True)
def number(context: Mapping[str, Any], n: float, digits: int = 0) -> str:
    """Return a number as it is written here."""
    return _locale(context).number(n, digits)


@register.simple_tag(takes_context=True)
def percent(context: Mapping[str, Any], share: float) -> str:
    """Return a share as per cent."""
    return _locale(context).percent(share)


@register.simple_tag(takes_context=True)
def duration(context: Mapping[str, Any], seconds: float) -> str:
    """Return a length of time in words."""
    return _locale(context).duration(seconds)


@register.simple_tag(takes_context=True)
def moment(context: Mapping[str, Any], at: datetime) -> SafeString:
    """Return a time for people and machines."""
    return mark_safe(document.when(at, _locale(context)))  # noqa: S308 - escaped there


@register.simple_tag
def words_of(text: str, language: str, tag: str = "span") -> SafeString:
    """Return the words of a post in their own language and direction."""
    return mark_safe(document.foreign(text, language, tag))  # noqa: S308 - escaped there


@register.simple_tag
def outward(url: str | None) -> SafeString:
    """Return a link that leads out, without a referrer."""
    return mark_safe(document.outward(url))  # noqa: S308 - escaped there


@register.simple_tag
def asset(name: str) -> str:
    """Return the address of a style sheet."""
    return address_of(name)


@register.filter
def post_ref(post_key: int) -> str:
    """Return how a post is called in addresses: a hash, which names nobody."""
    return format_id("p", post_key)
