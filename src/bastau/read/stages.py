"""The stages of read, in order."""

from pathlib import Path

from bastau.read.fold import Fold
from bastau.read.language import DetectLanguage
from bastau.read.language_model import load_model
from bastau.read.links import FindLinks
from bastau.read.signature import Sign
from bastau.settings import Settings
from bastau.stage import Stage


def default_stages(settings: Settings) -> list[Stage]:
    """Return the stages that make a READINGS row of each post, in an order that fits.

    Raises:
        ConfigError: the operator's language model cannot be used.
    """
    own = settings.read.language_model
    model = load_model(Path(own)) if own else None
    return [Fold(min_chars=settings.narratives.min_chars), FindLinks(), DetectLanguage(model=model), Sign()]
