"""Ordinary posts: the background that belongs to no narrative, no two of them alike."""

from collections import deque

from bastau.simulate.dice import Dice
from bastau.simulate.drafts import Draft, Ledger, any_time
from bastau.simulate.population import Source, World

_KINDS = ("outlet", "website", "channel", "page", "account")
_WEIGHTS = (26, 5, 28, 9, 32)


def add_background(n: int, world: World, ledger: Ledger, dice: Dice) -> None:
    """Add ``n`` ordinary posts, no two with the same text."""
    by_kind = [world.select(kinds=(kind,)) for kind in _KINDS]
    written = _Written()
    earlier: list[Draft] = []
    while len(earlier) < n:
        source = dice.choose(by_kind[dice.weighted(_WEIGHTS)])
        topic = dice.choose(world.phrases[source.language].topics)
        title, plain = _ordinary_text(source, topic, world, dice)
        if not written.accepts(plain, source.language, topic):
            continue
        draft = ledger.add(source, any_time(dice), plain, title=title if source.platform == "web" else None)
        if source.platform != "web":
            _dress(draft, earlier, world, ledger, dice)
        earlier.append(draft)


def _dress(draft: Draft, earlier: list[Draft], world: World, ledger: Ledger, dice: Dice) -> None:
    """Add what social posts carry now and then: hashtags, a link, a mention, a profile address, an answer."""
    if dice.percent(15):
        draft.text += f" {world.phrases[draft.source.language].hashtags(dice.between(1, 4), dice)}"
    recent = [other for other in earlier[-200:] if other.at < draft.at]
    articles = [other for other in recent if other.source.platform == "web"]
    if articles and dice.percent(18):
        article = dice.choose(articles)
        draft.links = (article.url,)
        draft.text += f" {article.url}"
        ledger.copied(article, draft, "link")
    if draft.source.kind == "account":
        accounts = world.select(kinds=("account",))
        if dice.percent(6):
            draft.text = f"@{dice.choose(accounts).handle} {draft.text}"
        if dice.percent(2):
            draft.text += f" {dice.choose(accounts).profile}"
        if recent and dice.percent(6):
            draft.reply_to = dice.choose(recent).post_id


class _Written:
    """Keeps ordinary posts apart: no text twice, and no two recent ones of a topic nearly the same."""

    _TOO_CLOSE = 0.5
    _RECENT = 60
    _MAX_REFUSED = 20

    def __init__(self) -> None:
        self._texts: set[str] = set()
        self._recent: dict[tuple[str, str], deque[frozenset[str]]] = {}
        self._n_refused = 0

    def accepts(self, text: str, language: str, topic: str) -> bool:
        """Record ``text`` and return True unless it is too close; after many refusals in a row only repeats are."""
        grams = frozenset(text[i : i + 5] for i in range(len(text) - 4))
        recent = self._recent.setdefault((language, topic), deque(maxlen=self._RECENT))
        is_close = any(_is_close(grams, other, self._TOO_CLOSE) for other in recent)
        if text in self._texts or (is_close and self._n_refused < self._MAX_REFUSED):
            self._n_refused += 1
            return False
        self._n_refused = 0
        self._texts.add(text)
        recent.append(grams)
        return True


def _is_close(a: frozenset[str], b: frozenset[str], similarity: float) -> bool:
    shorter, longer = sorted((len(a), len(b)))
    if shorter < similarity * longer:
        return False
    shared = len(a & b)
    return shared >= similarity * (len(a) + len(b) - shared)


def _ordinary_text(source: Source, topic: str, world: World, dice: Dice) -> tuple[str | None, str]:
    phrases = world.phrases[source.language]
    if source.kind == "account":
        return None, phrases.remark(topic, dice)
    low, high = (3, 6) if source.platform == "web" else (2, 4)
    return phrases.story(topic, dice.between(low, high), dice)
