"""The stages of read, in order."""

from bastau.read.fold import Fold
from bastau.read.language import DetectLanguage
from bastau.read.links import FindLinks
from bastau.read.signature import Sign
from bastau.settings import Settings
from bastau.stage import Stage


def default_stages(settings: Settings) -> list[Stage]:
    """Return the stages that make a READINGS row of each post, in an order that fits."""
    return [Fold(min_chars=settings.narratives.min_chars), FindLinks(), DetectLanguage(), Sign()]
