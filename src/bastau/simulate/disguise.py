"""How copies differ from what they copy: small edits, and writing that evades matching."""

from bastau.simulate.dice import Dice
from bastau.simulate.events import Teller

# Letters that look the same in the other alphabet (UTS 39), and characters that are not seen.
_LOOKALIKES = dict(zip("аеорсухАЕОРСУХ", "aeopcyxAEOPCYX", strict=True))
_TO_CYRILLIC = {latin: cyrillic for cyrillic, latin in _LOOKALIKES.items()}
_INVISIBLE = ("\u200b", "\u200d", "\u2060")


def edited(text: str, language: str, teller: Teller, dice: Dice) -> str:
    """Return ``text`` with one to three changes: something put before or behind, a sentence cut, a number of typos."""
    for _ in range(dice.between(1, 3)):
        match dice.weighted((30, 30, 15, 25)):
            case 0:
                text = f"{teller.pick(language, 'before', dice)} {text}"
            case 1:
                text = f"{text} {teller.pick(language, 'after', dice)}"
            case 2:
                text = _without_a_sentence(text, dice)
            case _:
                text = _typo(text, dice)
    return text


def _without_a_sentence(text: str, dice: Dice) -> str:
    sentences = text.split(". ")
    if len(sentences) < 3:
        return text
    del sentences[dice.below(len(sentences))]
    return ". ".join(sentences)


def _typo(text: str, dice: Dice) -> str:
    words = text.split(" ")
    at = dice.below(len(words))
    word = words[at]
    if len(word) > 3 and word.isalpha():
        cut = dice.between(1, len(word) - 2)
        words[at] = word[:cut] + word[cut + 1] + word[cut] + word[cut + 2 :]
    return " ".join(words)


def obfuscated(text: str, dice: Dice) -> str:
    """Return ``text`` written to evade matching: look-alike letters, invisible characters or spaced-out words."""
    way = dice.below(3)
    if way == 2:
        words = text.split(" ")
        for at in range(0, len(words), 4):
            if words[at].isalpha() and len(words[at]) > 4:
                words[at] = " ".join(words[at])
        return " ".join(words)
    made = []
    for letter in text:
        swapped = _LOOKALIKES.get(letter) or _TO_CYRILLIC.get(letter)
        made.append(swapped if way == 0 and swapped and dice.percent(25) else letter)
        if way == 1 and letter.isalpha() and dice.percent(12):
            made.append(dice.choose(_INVISIBLE))
    return "".join(made)
