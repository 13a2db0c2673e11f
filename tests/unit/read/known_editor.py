"""Edits as people make them to a text they repost, by a seeded hand."""

import random


def edited(text: str, share: float, seed: object, pool: list[str]) -> str:
    """Return ``text`` with ``share`` of its words touched, and dressed up.

    A touch swaps two neighbours (that touches two), deletes, inserts, replaces or mistypes a word. On top of that, which
    costs nothing of the share: capitals, punctuation, marks, a link in front, a link and a tag behind.
    """
    dice = random.Random(f"{seed}")
    words = text.split()
    left = int(share * len(words) + 1e-9)
    while left > 0:
        kind = dice.choice(["swap", "delete", "insert", "replace", "mistype"])
        at = dice.randrange(len(words))
        if kind == "swap":
            if left < 2 or at + 1 >= len(words):
                continue
            words[at], words[at + 1] = words[at + 1], words[at]
            left -= 1
        elif kind == "delete" and len(words) > 1:
            del words[at]
        elif kind == "insert":
            words.insert(at, dice.choice(pool))
        elif kind == "replace":
            words[at] = dice.choice(pool)
        elif len(words[at]) > 2:
            letter = dice.randrange(len(words[at]) - 1)
            word = words[at]
            words[at] = word[:letter] + word[letter + 1] + word[letter] + word[letter + 2 :]
        else:
            continue
        left -= 1
    dressed = " ".join(_dressed(word, dice) for word in words)
    if dice.random() < 0.5:
        dressed = f"https://t.co/{dice.randrange(1 << 30):x} {dressed}"
    if dice.random() < 0.5:
        dressed = f"{dressed} https://example.org/{dice.randrange(1 << 30):x} #tag"
    return dressed


def _dressed(word: str, dice: random.Random) -> str:
    match dice.randrange(20):
        case 0:
            return word.upper()
        case 1:
            return word + dice.choice(["!", "...", " -", ","])
        case 2:
            return f"**{word}**"
    return word
