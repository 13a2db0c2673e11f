import random

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st
from known_editor import edited

from bastau.read.fold import fold_strings
from bastau.read.known_text import (
    GRAM_CHARS,
    WINDOW,
    TextIndex,
    TextThresholds,
    fingerprints,
    text_candidates,
    text_matches,
)
from bastau.shingles import shingle_hashes
from bastau.simulate.world import generate

WORDS = sorted({word for text in generate(1000).posts.column("text").to_pylist() if text for word in text.split()})


def invented(n_words, seed):
    return " ".join(random.Random(f"text {seed}").choices(WORDS, k=n_words))


def folded(texts):
    return fold_strings(pa.array(texts, pa.string()))[0]


def grams(text):
    """Return the hash of each gram of a folded text, slowly."""
    data = np.frombuffer(text.encode(), np.uint8)
    out = np.empty(len(data) + 1, np.uint64)
    count = shingle_hashes(data, 0, len(data), GRAM_CHARS, out)
    return out[:count].tolist() if len(text) >= GRAM_CHARS else []


def plain_fingerprints(text):
    """Return [(hash, place)] as the paper defines them: of each window the rightmost smallest hash."""
    hashes = grams(text)
    kept = []
    for start in range(max(1, len(hashes) - WINDOW + 1) if hashes else 0):
        window = list(enumerate(hashes))[start : start + WINDOW]
        place, value = min(window, key=lambda pair: (pair[1], -pair[0]))
        if (value, place) not in kept:
            kept.append((value, place))
    return kept


def plain_matches(posts, listed, limits):
    """Return {(post, listed)} by sets of grams, for posts that are no longer than half as long again."""
    found = set()
    all_prints = [plain_fingerprints(text) for text in listed]
    for i, post in enumerate(posts):
        held = set(grams(post))
        for j, prints in enumerate(all_prints):
            places = [place for value, place in prints if value in held]
            covered = {place + k for place in places for k in range(GRAM_CHARS)}
            if (
                len(places) >= limits.fingerprints
                and len(places) >= limits.containment * len(prints)
                and len(covered) >= limits.covered_chars
            ):
                found.add((i, j))
    return found


@given(st.lists(st.text(alphabet="абв қ", max_size=120), max_size=6))
def test_fingerprints_are_those_of_the_paper(texts):
    hashes, rows, places, lengths = fingerprints(pa.array(texts, pa.string()))
    got = [(int(r), int(h), int(p)) for h, r, p in zip(hashes, rows, places, strict=True)]
    assert got == [(row, h, p) for row, text in enumerate(texts) for h, p in plain_fingerprints(text)]
    assert lengths.tolist() == [len(text) for text in texts]


def test_the_index_finds_what_sets_of_grams_find():
    listed = [invented(50, seed) for seed in range(30)]
    posts = [edited(listed[k % 30], 0.1 + 0.05 * (k % 9), k, WORDS) for k in range(120)]
    listed_folded, posts_folded = folded(listed), folded(posts)
    limits = TextThresholds()
    found, _ = text_matches(posts_folded, TextIndex.of_texts(listed_folded), limits)
    expected = plain_matches(posts_folded.to_pylist(), listed_folded.to_pylist(), limits)
    assert {(row, text) for row, text, *_ in found.tolist()} == expected
    assert 60 < len(expected) < 130


def test_a_shared_passage_of_23_characters_is_always_seen():
    passage = "мектептің жаңа ғимараты"
    assert len(passage) == GRAM_CHARS + WINDOW - 1
    index = TextIndex.of_texts(folded([f"{invented(20, 1)} {passage} {invented(20, 2)}"]))
    for seed in range(20):
        assert len(text_candidates(folded([f"{invented(5, f'a{seed}')} {passage} {invented(5, f'b{seed}')}"]), index))


def test_texts_with_a_fifth_of_their_words_edited_are_found_again():
    listed = [invented(40 + seed % 60, seed) for seed in range(300)]
    index = TextIndex.of_texts(folded(listed))
    found, _ = text_matches(folded([edited(text, 0.2, k, WORDS) for k, text in enumerate(listed)]), index)
    assert len({row for row, text, *_ in found.tolist() if row == text}) >= 0.99 * 300
    assert all(row == text for row, text, *_ in found.tolist())


def test_a_listed_text_inside_a_long_one_is_found_where_it_is():
    listed = invented(60, 1)
    post = folded([f"{invented(400, 2)} {listed} {invented(400, 3)}"])
    found, similarity = text_matches(post, TextIndex.of_texts(folded([listed])))
    _, _, _, _, start, end = found[0].tolist()
    passage = post[0].as_py()[start:end]
    assert passage in folded([listed])[0].as_py() or folded([listed])[0].as_py() in passage
    assert similarity[0] == 1


def test_scattered_phrases_of_a_listed_text_in_a_long_post_are_no_match():
    listed = invented(100, 1)
    words = listed.split()
    pieces = [" ".join(words[at : at + 5]) for at in range(0, 100, 10)]
    post = " ".join(f"{piece} {invented(150, f'between {at}')}" for at, piece in enumerate(pieces))
    found, _ = text_matches(folded([post]), TextIndex.of_texts(folded([listed])))
    assert not len(found)


def test_a_name_with_its_title_is_no_match_even_of_a_short_text():
    title = "жергілікті білім басқармасының бастығы болып"
    index = TextIndex.of_texts(folded([f"{title} {invented(9, 1)}"]))
    found, _ = text_matches(folded([f"{invented(9, 2)} {title} {invented(9, 3)}"]), index)
    assert not len(found)


def test_a_small_part_of_a_listed_text_is_no_match():
    listed = invented(400, 1)
    part = " ".join(listed.split()[100:150])
    found, _ = text_matches(folded([part]), TextIndex.of_texts(folded([listed])))
    assert not len(found)


def test_a_thousand_versions_of_one_text_do_not_multiply_the_work():
    listed = [edited(invented(50, 1), 0.02, k, WORDS) for k in range(1000)]
    found = text_candidates(folded([invented(50, 1)] * 3), TextIndex.of_texts(folded(listed)))
    assert 0 < len(found) < 3 * 700


def test_empty_and_missing_texts_match_nothing():
    index = TextIndex.of_texts(folded(["", "қысқа", invented(50, 1)]))
    found, similarity = text_matches(pa.array([None, "", "қысқа"], pa.string()), index)
    assert len(found) == len(similarity) == 0
    none = TextIndex.of_texts(folded([]))
    assert not len(text_candidates(folded([invented(50, 1)]), none))


def test_a_post_made_to_keep_us_busy_costs_bounded_memory_and_is_still_read_to_its_end():
    versions = folded([edited(invented(50, 1), 0.02, k, WORDS) for k in range(200)])
    last = invented(50, 2)
    index = TextIndex.of_texts(pa.concat_arrays([versions, folded([last])]))
    post = folded([" ".join([invented(50, 1)] * 2500 + [last])])
    found, _ = text_matches(post, index)
    assert 200 in found[:, 1]
