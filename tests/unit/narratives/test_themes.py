"""Stories gathered to themes: what joins, what abstains, and that the answer is that of doing all at once."""

import random
from collections import defaultdict

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bastau.errors import ContractError
from bastau.narratives.themes import (
    Likeness,
    Reach,
    Stories,
    Themes,
    find_stories,
    gather_themes,
    restore_themes,
    theme_members,
)
from bastau.schemas import TELLINGS, THEME_MEMBERS

DAY = 86_400_000_000
GENOCIDE = (
    "kyiv commits genocide against the people of donbas for eight years",
    "eight years of genocide in donbas and the west looks away from the people killed by kyiv",
    "киев восемь лет совершает геноцид народа донбасса",
)
GRAIN = (
    "sanctions of europe will bring famine because grain cannot leave the ports",
    "ports closed by sanctions keep grain from africa and famine comes",
)


def said(texts: list[str], days: list[float] | None = None) -> tuple[Stories, dict[int, str]]:
    days = days or [0.0] * len(texts)
    rows = sorted((int(day * DAY), key) for key, day in enumerate(days))
    key = np.array([k for _, k in rows], np.int64)
    return Stories(key, np.array([at for at, _ in rows], np.int64), key), dict(enumerate(texts))


def fetcher(texts: dict[int, str], piece: int = 5):
    def fetch(keys: np.ndarray):
        wanted = [int(k) for k in keys][::-1]
        for start in range(0, len(wanted), piece):
            some = wanted[start : start + piece]
            yield pa.table({"post_key": pa.array(some, pa.int64()), "folded": [texts[k] for k in some]})

    return fetch


def groups(stories: Stories, themes: Themes) -> list[set[int]]:
    out = defaultdict(set)
    for key, theme in zip(stories.key.tolist(), themes.theme.tolist(), strict=True):
        out[theme].add(key)
    return sorted((group for group in out.values() if len(group) > 1), key=min)


def noise(n: int, seed: int = 1) -> list[str]:
    dice = random.Random(seed)
    words = ["".join(dice.choice("bdgklmnrst") + dice.choice("aeiou") for _ in range(4)) for _ in range(600)]
    return [" ".join(dice.sample(words, 12)) for _ in range(n)]


def test_one_claim_in_other_words_and_languages_is_one_theme_and_another_claim_another() -> None:
    stories, texts = said([*GENOCIDE, *GRAIN, *noise(60)])
    found = gather_themes(stories, fetcher(texts), likeness=Likeness(needed=0.2))
    assert groups(stories, found)[:2] == [{0, 1, 2}, {3, 4}]


def test_a_theme_goes_on_when_its_words_come_back_after_months() -> None:
    stories, texts = said([*GENOCIDE, *noise(40)], [0, 1, 200, *[k * 5 for k in range(40)]])
    assert {0, 1, 2} in [g & {0, 1, 2} for g in groups(stories, gather_themes(stories, fetcher(texts)))]


def test_a_story_that_none_has_joined_is_forgotten() -> None:
    stories, texts = said(list(GENOCIDE[:2]), [0, 31])
    assert groups(stories, gather_themes(stories, fetcher(texts))) == []
    stories, texts = said(list(GENOCIDE[:2]), [0, 29])
    assert groups(stories, gather_themes(stories, fetcher(texts))) == [{0, 1}]


def test_few_words_and_none_are_in_no_theme() -> None:
    stories, texts = said(["genocide donbas", "genocide donbas", "", "", "the of and", *GENOCIDE[:2]])
    assert groups(stories, gather_themes(stories, fetcher(texts))) == [{5, 6}]


def test_nothing_at_all() -> None:
    stories, texts = said([])
    found = gather_themes(stories, fetcher(texts))
    assert len(found.theme) == 0
    assert len(gather_themes(stories, fetcher(texts), before=(stories, found)).theme) == 0


def test_a_text_that_did_not_come_is_an_error() -> None:
    stories, texts = said(list(GENOCIDE))
    with pytest.raises(ContractError, match="3 posts were asked for, 2 came"):
        gather_themes(stories, lambda _: [pa.table({"post_key": [0, 1], "folded": [texts[0], texts[1]]})])


def test_stories_are_first_tellings_and_members_are_those_in_themes() -> None:
    told = pa.table(
        {
            "telling_key": [5, 7, 9],
            "first_seen_at": [1, 2, 3],
            "text_post_key": [50, 70, 90],
            "story_key": [5, 5, 9],
            "wording_key": [5, 7, 9],
            "score": [1.0, 0.7, 1.0],
        }
    ).cast(TELLINGS)
    stories = find_stories(told)
    assert stories.key.tolist() == [5, 9]
    assert stories.post.tolist() == [50, 90]
    found = gather_themes(stories, fetcher({50: GENOCIDE[0], 90: GENOCIDE[1]}))
    members = theme_members(stories, found)
    assert members.schema == THEME_MEMBERS
    assert members.column("theme_key").to_pylist() == [5, 5]
    back = restore_themes(stories, members, found.state)
    assert back.theme.tolist() == found.theme.tolist()
    assert np.array_equal(back.fit, found.fit)


def subset(stories: Stories, keys: set[int]) -> Stories:
    kept = np.isin(stories.key, sorted(keys))
    return Stories(stories.key[kept], stories.at[kept], stories.post[kept])


SMALL = Reach(keys=4, themes=3, compared=2, middle=3)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_pieces_in_any_order_give_what_all_at_once_gives(data: st.DataObject) -> None:
    """With limits so small that themes fall out of reach and words out of middles all the time."""
    n = data.draw(st.integers(5, 40))
    words = ["war", "peace", "grain", "famine", "drone", "bank", "vaccine", "virus", "school", "rain", "flood", "gas"]
    texts = [" ".join(data.draw(st.lists(st.sampled_from(words), min_size=1, max_size=8))) for _ in range(n)]
    stories, by_key = said(texts, [data.draw(st.integers(0, 120)) + 0.5 for _ in range(n)])
    fetch = fetcher(by_key)
    whole = gather_themes(stories, fetch, reach=SMALL)
    in_order = data.draw(st.booleans())
    keys = stories.key.tolist() if in_order else data.draw(st.permutations(range(n)))
    cuts = sorted(data.draw(st.sets(st.integers(1, n - 1), max_size=4)))
    before = None
    for end in [*cuts, n]:
        some = subset(stories, set(keys[:end]))
        before = some, gather_themes(some, fetch, reach=SMALL, before=before)
    assert before[1].theme.tolist() == whole.theme.tolist()
    assert np.array_equal(before[1].fit, whole.fit)
    # What is stored of it does.
    members = theme_members(stories, whole)
    assert restore_themes(stories, members, whole.state).theme.tolist() == whole.theme.tolist()


def test_a_day_of_a_stream_reads_few_days_and_a_late_post_all() -> None:
    texts = noise(200)
    stories, by_key = said(texts, [k / 2 for k in range(200)])
    read: list[int] = []

    def fetch(keys: np.ndarray):
        read.append(len(keys))
        return fetcher(by_key)(keys)

    early = subset(stories, set(range(198)))
    first = gather_themes(early, fetch)
    gather_themes(stories, fetch, before=(early, first))
    late = subset(stories, set(range(200)) - {3})
    gather_themes(stories, fetch, before=(late, gather_themes(late, fetch)))
    assert read[0] == 198
    assert read[1] <= 2 * (14 + 5) + 3
    assert read[-1] == 200
