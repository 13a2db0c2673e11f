"""What looks like coordination and is not: the traps of the benchmark, the same at every level but for the wires."""

from bastau.simulate.cast import Player
from bastau.simulate.dice import Dice
from bastau.simulate.disguise import edited
from bastau.simulate.drafts import DAY, END, HOUR, any_time, later, local
from bastau.simulate.outbreak import LANGUAGES
from bastau.simulate.scene import ADDRESS, Item, Scene

_FIRST, _LAST = 3 * DAY, END - 6 * HOUR
_SOCIAL = ("channel", "page", "account")


def add_innocent(scene: Scene) -> None:
    """Add wire copy, fandom, charity appeals, holiday greetings, share buttons and quotes of official statements.

    The seventh trap, viral bursts, are narratives.
    """
    for number, (agency, customers) in enumerate(scene.cast.wires):
        _wire(f"wire copy {number}", agency, customers, scene)
    for number in range(12):
        _fandom(f"fandom {number}", LANGUAGES[number % 3], scene)
        _share_button(f"share button {number}", LANGUAGES[number % 3], scene)
        _statement(f"official statement {number}", LANGUAGES[number % 3], scene)
    for number in range(6):
        _charity(f"charity appeal {number}", LANGUAGES[number % 3], scene)
    for number, language in enumerate(LANGUAGES):
        _greetings(f"Nauryz greeting {number}", language, 7, (0, 1), scene)
        _greetings(f"Eid greeting {number}", language, 10, (2, 3), scene)


def _moment(dice: Dice) -> int:
    """Return a moment after the warm-up of three days, in which nothing that is judged begins."""
    return min(max(any_time(dice), _FIRST + dice.below(DAY)), _LAST)


def _note(scene: Scene, name: str, *players: Player) -> None:
    scene.innocent.setdefault(name, set()).update(player.source.handle for player in players)


def _copy_of(scene: Scene, original: Item, player: Player, at: int, text: str) -> Item:
    return scene.add(
        player,
        at,
        text,
        language=original.language,
        plain=original.plain,
        title=original.title if player.source.platform == "web" else None,
        narrative=original.narrative,
        version=original.version,
        role=original.role,
        kind="near_copy",
        source_item=original,
    )


def _article(scene: Scene, player: Player, at: int, name: str, role: str, dice: Dice, n_facts: int = 4) -> Item:
    story = scene.teller.story(n_facts, dice)
    language = player.source.language
    return scene.add(
        player,
        at,
        scene.teller.tell(story, language, 0, dice),
        title=scene.teller.headline(story, language, dice) if player.source.platform == "web" else None,
        story=story,
        narrative=name,
        version=name,
        role=role,
    )


def _wire(name: str, agency: Player, customers: tuple[Player, ...], scene: Scene) -> None:
    """Thirty stories; each is printed by about half of the customers, by the same machine every time."""
    dice, (least, most) = scene.dice(name), scene.level.wire_s
    _note(scene, name, *customers)
    for number in range(30):
        story = _article(scene, agency, _moment(dice), f"{name} {number}", "wire", dice, dice.between(3, 5))
        for customer in customers:
            if dice.percent(55):
                printed = f"{agency.source.name}: {story.text}" if dice.percent(40) else story.text
                _copy_of(scene, story, customer, story.at + dice.between(least, most), printed)


def _fandom(name: str, language: str, scene: Scene) -> None:
    """Fans of one channel or account repost what it posts, the keenest within minutes."""
    dice = scene.dice(name)
    kind, platform = (("channel", "telegram"), ("account", "x"))[dice.below(2)]
    star, *fans = dice.sample(
        [p for p in scene.cast.players if p.source.platform == platform and p.source.language == language], 15
    )
    _note(scene, name, *fans)
    for number in range(10):
        post = _article(scene, star, _moment(dice), f"{name} {number}", "fandom", dice, 2)
        for fan in fans:
            if dice.percent(50):
                text = post.text if kind == "channel" else f"RT @{star.source.handle}: {post.text}"
                copy = _copy_of(scene, post, fan, post.at + dice.log_uniform(40, 9), text)
                copy.via = copy.kind = "forward" if kind == "channel" else "repost"
                copy.original = post


def _charity(name: str, language: str, scene: Scene) -> None:
    """One appeal, pasted with its link by many over two days."""
    dice = scene.dice(name)
    fact = scene.teller.story(1, dice)[0]
    text = scene.teller.filled(scene.teller.pick(language, "charity", dice), fact, language)
    people = scene.cast.several(30, dice, kinds=_SOCIAL, language=language)
    _note(scene, name, *people)
    link = f"https://help.example/{fact.numbers[0]}-{dice.below(1 << 20)}"
    first: Item | None = None
    at = min(_moment(dice), END - 60 * HOUR)
    for player in people:
        when = at if first is None else later(at, 300, 9, dice)
        item = scene.add(
            player,
            when,
            f"{text} {link}",
            plain=text,
            links=(link,),
            narrative=name,
            version=name,
            role="charity",
            kind="near_copy" if first else "",
            source_item=first,
        )
        first = first or item


def _greetings(name: str, language: str, day: int, stock: tuple[int, int], scene: Scene) -> None:
    """Stock greetings of a holiday, most of them within minutes of nine in the morning; nobody began them."""
    dice, texts = scene.dice(name), scene.teller.all(language, "greetings")
    senders = scene.cast.several(60, dice, kinds=_SOCIAL, language=language)
    _note(scene, name, *senders)
    morning = local(day, 9)
    for sender in senders:
        which = dice.choose(stock)
        text = texts[which]
        if dice.percent(20):
            text = edited(text, language, scene.teller, dice)
        at = morning + (dice.below(600) - 300 if dice.percent(60) else dice.below(5 * HOUR))
        narrative = f"greeting {language} {which}"
        scene.unjudged.add(narrative)
        scene.add(sender, at, text, narrative=narrative, version=narrative, role="greeting")


def _share_button(name: str, language: str, scene: Scene) -> None:
    """Readers send the headline of an article by the button beside it."""
    dice = scene.dice(name)
    outlet = scene.cast.pick(dice, kind="outlet", language=language)
    article = _article(scene, outlet, _moment(dice), name, "share_button", dice)
    article.version = f"{name} article"
    readers = scene.cast.several(25, dice, kinds=("account", "channel"), language=language)
    _note(scene, name, *readers)
    for reader in readers:
        at = later(article.at, 120, 9, dice)
        text = f"{article.title} — {outlet.source.name} {ADDRESS}"
        item = _copy_of(scene, article, reader, at, text)
        item.version, item.via, item.kind, item.original = f"{name} headline", "link", "link", article


def _statement(name: str, language: str, scene: Scene) -> None:
    """An official statement, quoted by outlets and channels while the press conference still runs."""
    dice = scene.dice(name)
    fact = scene.teller.story(1, dice)[0]
    quote = scene.teller.filled(scene.teller.pick(language, "statement", dice), fact, language)
    speakers = scene.cast.several(25, dice, kinds=("outlet", "website", "channel"), language=language)
    _note(scene, name, *speakers)
    at, first = _moment(dice), None
    for player in speakers:
        own = scene.teller.tell(scene.teller.story(1, dice), language, 0, dice)
        text = f"{quote} {own}" if dice.percent(50) else quote
        when = at if first is None else at + dice.between(60, 2400)
        item = scene.add(
            player,
            when,
            text,
            plain=quote,
            title=fact.names["person"][0][language == "en"] if player.source.platform == "web" else None,
            narrative=name,
            version=name,
            role="statement",
            kind="near_copy" if first else "",
            source_item=first,
        )
        first = first or item
    scene.unjudged.add(name)
