"""How a narrative spreads: first tellings, copies of every kind, and the groups that push it."""

from dataclasses import dataclass, field
from typing import Any

from bastau.simulate.dice import Dice
from bastau.simulate.drafts import DAY, END, HOUR, Draft, Ledger, any_time, later, local
from bastau.simulate.population import Source, World

# Where copies appear, by kind of source: outlets are slow and few, channels and accounts carry most.
_KINDS = ("outlet", "website", "channel", "page", "account")
_KIND_WEIGHTS = (5, 3, 34, 10, 48)
# Of 100 copies within one platform: the platform's own button, the text pasted, a link; pages of the web have no button.
_BUTTON, _PASTE = 50, 38
_LAST_COPIED = END - 2 * HOUR


@dataclass
class Telling:
    """One text of a narrative in one language, and the posts that carry it."""

    version: str
    language: str
    posts: list[Draft]
    used: set[str] = field(default_factory=set)


def spread_narrative(plan: dict[str, Any], n_posts: int, world: World, ledger: Ledger, dice: Dice) -> Draft:
    """Add the ``n_posts`` posts of a narrative that are not withheld; return its first post, withheld or not."""
    tellings = _first_tellings(plan, world, ledger, dice)
    first = tellings[0].posts[0]
    hidden_until = first.at + int(plan.get("hidden_h", 0)) * HOUR
    first.withheld = first.withheld or first.at < hidden_until
    left = n_posts - sum(not telling.posts[0].withheld for telling in tellings)
    if "group" in plan:
        left -= _push(plan, first, world, ledger, dice)
    left -= _correct(plan, tellings[0], world, ledger, dice)
    weights = [5 if telling.language == first.language else 3 for telling in tellings]
    weights[0] += 3
    while left > 0:
        telling = tellings[dice.weighted(weights)]
        draft = _copy(telling, plan, world, ledger, dice)
        if draft is not None:
            draft.withheld = draft.withheld or draft.at < hidden_until
            left -= not draft.withheld
    return first


def _first_source(plan: dict[str, Any], language: str, world: World, dice: Dice) -> Source:
    if plan["origin"] == "uncollected":
        return world.uncollected
    fitting = world.select(kinds=(plan["origin"],), language=language)
    pushed = set(world.groups.get(plan.get("group", ""), ()))
    if plan["origin"] == "account":
        fitting = [source for source in fitting if not source.is_publisher]
    return dice.choose([source for source in fitting if source not in pushed])


def _first_tellings(plan: dict[str, Any], world: World, ledger: Ledger, dice: Dice) -> list[Telling]:
    """Return the tellings, each with its first post; all but the first are retold or translated from the first."""
    tellings: list[Telling] = []
    starts = plan.get("starts_before_h")
    at = -int(starts) * HOUR if starts else local(plan["day"], 10) + dice.below(6 * HOUR)
    for language in plan["languages"]:
        phrases = world.phrases[language]
        for number in range(phrases.n_claims(plan["name"])):
            about = {"narrative": plan["name"], "version": f"{plan['name']}-{language}-{number}"}
            text = phrases.telling(plan["name"], number, dice)
            if tellings:
                first = tellings[0].posts[0]
                source = dice.choose(world.select(kinds=("outlet", "channel", "page"), language=language))
                draft = ledger.add(source, later(first.at, HOUR, 5, dice), text, role="spread", **about)
                ledger.copied(first, draft, "rewrite" if language == first.language else "translation")
            else:
                source = _first_source(plan, language, world, dice)
                draft = ledger.add(source, at, text, role="origin", language=language, **about)
            if draft.source.platform == "web":
                draft.title = phrases.words["narratives"][plan["name"]]["calls"][0].rstrip(".!")
            tellings.append(Telling(about["version"], language, [draft]))
    return tellings


def _copy(telling: Telling, plan: dict[str, Any], world: World, ledger: Ledger, dice: Dice) -> Draft | None:
    """Add one copy within a telling; None when the drawn source has told it already or no time is left."""
    original = telling.posts[0] if dice.percent(50) else dice.choose(telling.posts)
    if original.at >= _LAST_COPIED:
        return None
    burst = plan.get("burst", False)
    # what an uncollected channel tells is known from forwards only
    is_forward = not original.source.is_collected
    way = 0 if is_forward or (burst and dice.percent(60)) else dice.below(100)
    has_button = way < _BUTTON and original.source.platform != "web"
    kind = "channel" if is_forward else _KINDS[dice.weighted(_KIND_WEIGHTS)]
    source = _speaker(kind, telling.language, original.source.platform if has_button else "", world, dice)
    if source.handle in telling.used or source == original.source:
        return None
    telling.used.add(source.handle)
    at = later(original.at, 30 if burst else 90, 8 if burst else 11, dice)
    about: dict[str, Any] = {"narrative": plan["name"], "role": "spread", "language": telling.language}
    if has_button and source.platform == original.source.platform:
        return _by_button(original, source, at, telling, ledger, **about)
    if way < _BUTTON + _PASTE:
        text = world.phrases[telling.language].edited(original.plain, dice.weighted((25, 50, 25)), dice)
        draft = ledger.add(source, at, text, version=telling.version, **about)
        ledger.copied(original, draft, "near_copy")
        telling.posts.append(draft)
        return draft
    comment = world.phrases[telling.language].comment(dice)
    draft = ledger.add(source, at, f"{comment} {original.url}", plain=comment, links=(original.url,), **about)
    ledger.copied(original, draft, "link")
    return draft


def _speaker(kind: str, language: str, platform: str, world: World, dice: Dice) -> Source:
    """Return a source of the kind that mostly writes in the language, on the platform if one is given."""
    if platform:
        return dice.choose(world.select(platform=platform, language=language) or world.select(platform=platform))
    speakers = world.select(kinds=(kind,), language=language) if dice.percent(90) else []
    return dice.choose(speakers or world.select(kinds=(kind,)))


def _by_button(original: Draft, source: Source, at: int, telling: Telling, ledger: Ledger, **about: Any) -> Draft:
    """Add a repost or forward; platforms point at the post that was first reposted, not at the hop between."""
    root = original.reposted or original
    about = {**about, "version": telling.version, "plain": root.plain, "reposted": root}
    if source.platform == "telegram":
        draft = ledger.add(source, at, root.text, forwarded_from=root.source.handle, **about)
        ledger.copied(root, draft, "forward")
    else:
        text = f"RT @{root.source.handle}: {root.text}" if source.platform == "x" else root.text
        draft = ledger.add(source, at, text, repost_of=root.post_id, **about)
        ledger.copied(root, draft, "repost")
    telling.posts.append(draft)
    return draft


def _push(plan: dict[str, Any], first: Draft, world: World, ledger: Ledger, dice: Dice) -> int:
    """Add the events of the narrative's group: all members post one new text and link within seconds."""
    group, members = world.group_plans[plan["group"]], world.groups[plan["group"]]
    language = group["language"]
    phrases = world.phrases[language]
    shop = dice.choose(world.select(kinds=("website",), language=language))
    # spread over the days that are left, at any waking hour
    step = (END - first.at - DAY) // group["n_events"]
    for event in range(group["n_events"]):
        start = first.at + 6 * HOUR + event * step + dice.below(step // 2)
        text = phrases.telling(plan["name"], event, dice, pushed=True)
        link = f"https://{shop.handle}/{plan['name']}/{event + 1}"
        leader: Draft | None = None
        seconds = sorted(dice.below(group["spread_s"]) for _ in members)
        for member, second in zip(dice.sample(members, len(members)), seconds, strict=True):
            plain = text if leader is None else phrases.edited(text, dice.below(2), dice)
            draft = ledger.add(
                member,
                start + second,
                f"{plain} {link}",
                plain=plain,
                links=(link,),
                narrative=plan["name"],
                version=f"{plan['name']}-push-{event}",
                role="coordinated",
                group=group["name"],
                language=language,
            )
            if leader is None:
                leader = draft
                ledger.copied(first, draft, "rewrite" if language == first.language else "translation")
            else:
                ledger.copied(leader, draft, "near_copy")
    return int(group["n_events"]) * len(members)


def _correct(plan: dict[str, Any], telling: Telling, world: World, ledger: Ledger, dice: Dice) -> int:
    """Add corrected versions of the first post by its own source, hours apart."""
    draft = telling.posts[0]
    for _ in range(int(plan.get("corrections", 0))):
        text = world.phrases[telling.language].edited(draft.text, 1, dice)
        at = later(draft.at, HOUR, 4, dice)
        about = {"narrative": plan["name"], "version": telling.version, "title": draft.title}
        draft = ledger.add(draft.source, at, text, role="correction", language=telling.language, **about)
    return int(plan.get("corrections", 0))


def spread_lookalikes(world: World, ledger: Ledger, dice: Dice) -> None:
    """Add what looks like coordination and is not: wire copy, greetings of one minute, share buttons.

    The fourth look-alike, a viral burst, is the narrative planned with ``burst``.
    """
    for number in range(5):
        _wire_story(number, world, ledger, dice)
    _greeting(world, ledger, dice)
    for number in range(2):
        _share_button(number, world, ledger, dice)


def _wire_story(number: int, world: World, ledger: Ledger, dice: Dice) -> None:
    phrases = world.phrases[world.wire.language]
    title, text = phrases.story(phrases.topics[3 * number], 4, dice)
    about = {"narrative": f"wire-{number}", "version": f"wire-{number}", "role": "wire", "title": title}
    first = ledger.add(world.wire, min(any_time(dice), _LAST_COPIED), text, **about)
    printers = world.select(kinds=("outlet", "website"), language=world.wire.language)
    for outlet in dice.sample(printers, 9):
        printed = f"{world.wire.name}: {text}" if dice.percent(40) else text
        copy = ledger.add(outlet, first.at + dice.between(2 * 60, 25 * 60), printed, **about)
        ledger.copied(first, copy, "near_copy")


def _greeting(world: World, ledger: Ledger, dice: Dice) -> None:
    morning = local(7, 9)
    for language, phrases in world.phrases.items():
        about = {"narrative": "greeting", "version": f"greeting-{language}", "role": "greeting", "language": language}
        senders = world.select(kinds=("channel", "page", "account"), language=language)
        for source in dice.sample(senders, 18):
            ledger.add(source, morning + dice.below(360) - 180, phrases.greeting(), **about)


def _share_button(number: int, world: World, ledger: Ledger, dice: Dice) -> None:
    language = ("kk", "en")[number]
    outlet = dice.choose(world.select(kinds=("outlet",), language=language))
    title, text = world.phrases[language].story(world.phrases[language].topics[4 + number], 4, dice)
    about: dict[str, Any] = {"narrative": f"share-{number}", "role": "share_button"}
    article = ledger.add(outlet, local(3 + number, 8), text, title=title, **about)
    for source in dice.sample(world.select(kinds=("account",), language=language), 23):
        at = later(article.at, HOUR, 6, dice)
        shared = f"{title} — {outlet.name} {article.url}"
        about["version"] = f"share-{number}"
        share = ledger.add(source, at, shared, plain=title, links=(article.url,), **about)
        ledger.copied(article, share, "link")
