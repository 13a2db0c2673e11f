"""How people spell the same words otherwise: without the letters of the language, or in another script.

Only for training, where a rough spelling is as good as the right one; texts of users are never rewritten here.
"""

from collections.abc import Callable

Spelling = Callable[[str], str]

_RUSSIFIED = str.maketrans("әғқңөұүіһҗҫҙҡғҳўҷӣӯ", "агкноууихжсзкгхучиу")
_BARE_LATIN = str.maketrans("áàâäãåąăāçćčďđéèêëęěēəğģíìîïıīįłñńňóòôöõőøōŕřšśşșťţțúùûüůűūýÿžźż",
                            "aaaaaaaaacccddeeeeeeeeggiiiiiiilnnnoooooooorrsssstttuuuuuuuyyzzz")  # fmt: skip

# Kazakh: one row a spelling. What a row leaves out it has from the first.
_KAZAKH = {
    "а": "a", "ә": "ä", "б": "b", "в": "v", "г": "g", "ғ": "ğ", "д": "d", "е": "e", "ж": "j", "з": "z", "и": "i",
    "й": "i", "к": "k", "қ": "q", "л": "l", "м": "m", "н": "n", "ң": "ñ", "о": "o", "ө": "ö", "п": "p", "р": "r",
    "с": "s", "т": "t", "у": "u", "ұ": "ū", "ү": "ü", "ф": "f", "х": "h", "һ": "h", "ц": "ts", "ч": "ch", "ш": "ş",
    "щ": "şş", "ъ": "", "ы": "y", "і": "ı", "ь": "", "э": "e", "ю": "iu", "я": "ia",
}  # fmt: skip
_KAZAKH_2018 = {
    "ә": "á", "ғ": "ǵ", "и": "ı", "й": "ı", "і": "i", "ң": "ń", "ө": "ó", "ұ": "u", "ү": "ú", "у": "ý", "ш": "sh",
    "щ": "shsh", "я": "ıa", "ю": "ıý",
}  # fmt: skip
# Apostrophes vanish when text is folded.
_KAZAKH_2017 = {
    "ә": "a", "ғ": "g", "ң": "n", "ө": "o", "ұ": "u", "ү": "u", "у": "y", "ш": "s", "щ": "ss", "ч": "c", "і": "i",
    "я": "ia", "ю": "iy",
}  # fmt: skip
_KAZAKH_WIKI = {
    "и": "ï", "й": "y", "і": "i", "ы": "ı", "у": "w", "ұ": "u", "х": "x", "ч": "ç", "щ": "şç", "ц": "c",
    "я": "ya", "ю": "yu", "э": "é",
}  # fmt: skip
_KAZAKH_WIKI_PLAIN = _KAZAKH_WIKI | {"и": "i", "у": "u", "э": "e"}
_CHAT = {"ә": "a", "ғ": "g", "ө": "o", "ұ": "u", "ү": "u", "і": "i", "я": "ya", "ю": "yu", "ц": "c"}
_KAZAKH_CHAT_1 = _CHAT | {"ж": "zh", "к": "k", "қ": "k", "ң": "n", "ш": "sh", "щ": "sh", "й": "y", "ч": "ch"}
_KAZAKH_CHAT_2 = _CHAT | {"ж": "j", "қ": "q", "ң": "n", "ш": "w", "щ": "w", "й": "i", "ы": "i", "х": "x"}
_KAZAKH_CHAT_3 = _CHAT | {"ә": "a", "ж": "zh", "қ": "k", "ң": "ng", "ш": "sh", "щ": "sh", "й": "i", "х": "kh"}
_KAZAKH_CHAT_4 = _CHAT | {"ә": "e", "ж": "j", "қ": "k", "ң": "n", "ш": "sh", "щ": "sh", "й": "y", "ы": "i", "у": "w"}
_KAZAKH_ARABIC = str.maketrans({
    "а": "ا", "ә": "ا", "б": "ب", "в": "ۆ", "г": "گ", "ғ": "ع", "д": "د", "е": "ە", "ж": "ج", "з": "ز", "и": "ي",
    "й": "ي", "к": "ك", "қ": "ق", "л": "ل", "м": "م", "н": "ن", "ң": "ڭ", "о": "و", "ө": "و", "п": "پ", "р": "ر",
    "с": "س", "т": "ت", "у": "ۋ", "ұ": "ۇ", "ү": "ۇ", "ф": "ف", "х": "ح", "һ": "ھ", "ц": "تس", "ч": "چ", "ш": "ش",
    "щ": "شش", "ъ": "", "ы": "ى", "і": "ى", "ь": "", "э": "ە", "ю": "يۋ", "я": "يا",
})  # fmt: skip
_UYGHUR_LATIN = str.maketrans({
    "ئ": "", "ا": "a", "ە": "e", "ب": "b", "پ": "p", "ت": "t", "ج": "j", "چ": "ch", "خ": "x", "د": "d", "ر": "r",
    "ز": "z", "ژ": "zh", "س": "s", "ش": "sh", "غ": "gh", "ف": "f", "ق": "q", "ك": "k", "گ": "g", "ڭ": "ng", "ل": "l",
    "م": "m", "ن": "n", "ھ": "h", "و": "o", "ۇ": "u", "ۆ": "ö", "ۈ": "ü", "ۋ": "w", "ې": "ë", "ى": "i", "ي": "y",
})  # fmt: skip
_TATAR = {
    "а": "a", "ә": "ä", "б": "b", "в": "w", "г": "g", "д": "d", "е": "e", "ж": "j", "җ": "c", "з": "z", "и": "i",
    "й": "y", "к": "k", "л": "l", "м": "m", "н": "n", "ң": "ñ", "о": "o", "ө": "ö", "п": "p", "р": "r", "с": "s",
    "т": "t", "у": "u", "ү": "ü", "ф": "f", "х": "x", "һ": "h", "ц": "ts", "ч": "ç", "ш": "ş", "щ": "şç", "ъ": "",
    "ы": "ı", "ь": "", "э": "e", "ю": "yu", "я": "ya",
}  # fmt: skip
_TATAR_BACK = str.maketrans(_TATAR | {"к": "q", "г": "ğ"})
_TATAR_FRONT = str.maketrans(_TATAR | {"ю": "yü", "я": "yä"})
_KYRGYZ_LATIN = str.maketrans(_KAZAKH | _CHAT | {"ж": "j", "к": "k", "ң": "n", "ш": "sh", "й": "y", "х": "h"})
_RUSSIAN = {
    "а": "a", "б": "b", "в": "v", "г": "g", "д": "d", "е": "e", "ж": "zh", "з": "z", "и": "i", "й": "y", "к": "k",
    "л": "l", "м": "m", "н": "n", "о": "o", "п": "p", "р": "r", "с": "s", "т": "t", "у": "u", "ф": "f", "х": "h",
    "ц": "ts", "ч": "ch", "ш": "sh", "щ": "sch", "ъ": "", "ы": "y", "ь": "", "э": "e", "ю": "yu", "я": "ya",
}  # fmt: skip
_RUSSIAN_2 = str.maketrans(_RUSSIAN | {"й": "i", "х": "kh", "ц": "c", "щ": "shch", "ю": "u", "я": "ia", "ж": "j"})
_UZBEK = str.maketrans({
    "а": "a", "б": "b", "в": "v", "г": "g", "ғ": "g", "д": "d", "е": "e", "ж": "j", "з": "z", "и": "i", "й": "y",
    "к": "k", "қ": "q", "л": "l", "м": "m", "н": "n", "о": "o", "ў": "o", "п": "p", "р": "r", "с": "s", "т": "t",
    "у": "u", "ф": "f", "х": "x", "ҳ": "h", "ц": "ts", "ч": "ch", "ш": "sh", "ъ": "", "ь": "", "э": "e", "ю": "yu",
    "я": "ya",
})  # fmt: skip
_AZERI_CYRILLIC = str.maketrans("abcçdeəfgğhxıijkqlmnoöprsştuüvyz", "абҹчдеәфҝғһхыижкглмноөпрсштуүвјз")


def _spelling(*tables: dict[str, str]) -> Spelling:
    merged: dict[str, str] = {}
    for table in tables:
        merged |= table
    made = str.maketrans(merged)
    return lambda word: word.translate(made)


def _mapped(table: dict[int, int] | dict[int, str]) -> Spelling:
    return lambda word: word.translate(table)


def _kazakh_arabic(word: str) -> str:
    hamza = "ٴ" if set(word) & set("әөүі") and not set(word) & set("кге") else ""
    return hamza + word.translate(_KAZAKH_ARABIC)


def _tatar_latin(word: str) -> str:
    is_back = set(word) & set("аоуы") and not set(word) & set("әөүеи")
    return word.translate(_TATAR_BACK if is_back else _TATAR_FRONT)


_russified = _mapped(_RUSSIFIED)
_bare = _mapped(_BARE_LATIN)

SPELLINGS: dict[tuple[str, str], tuple[tuple[str, Spelling, float], ...]] = {
    ("kk", "Cyrl"): (
        ("Cyrl", _russified, 0.35),
        ("Latn", _spelling(_KAZAKH), 0.15),
        ("Latn", _spelling(_KAZAKH, _KAZAKH_2018), 0.1),
        ("Latn", _spelling(_KAZAKH, _KAZAKH_2017), 0.1),
        ("Latn", _spelling(_KAZAKH, _KAZAKH_WIKI), 0.15),
        ("Latn", _spelling(_KAZAKH, _KAZAKH_WIKI_PLAIN), 0.1),
        ("Latn", _spelling(_KAZAKH, _KAZAKH_CHAT_1), 0.15),
        ("Latn", _spelling(_KAZAKH, _KAZAKH_CHAT_2), 0.1),
        ("Latn", _spelling(_KAZAKH, _KAZAKH_CHAT_3), 0.1),
        ("Latn", _spelling(_KAZAKH, _KAZAKH_CHAT_4), 0.1),
        ("Arab", _kazakh_arabic, 1.0),
    ),
    ("ky", "Cyrl"): (("Cyrl", _russified, 0.2), ("Latn", _mapped(_KYRGYZ_LATIN), 1.0)),
    ("tt", "Cyrl"): (("Cyrl", _russified, 0.15), ("Latn", _tatar_latin, 1.0)),
    ("ba", "Cyrl"): (("Cyrl", _russified, 0.15),),
    ("uz", "Cyrl"): (("Cyrl", _russified, 0.2), ("Latn", _mapped(_UZBEK), 1.0)),
    ("tg", "Cyrl"): (("Cyrl", _russified, 0.2),),
    ("ru", "Cyrl"): (("Latn", _spelling(_RUSSIAN), 0.6), ("Latn", _mapped(_RUSSIAN_2), 0.4)),
    ("ug", "Arab"): (("Latn", _mapped(_UYGHUR_LATIN), 1.0),),
    ("az", "Latn"): (("Latn", _bare, 0.15), ("Cyrl", _mapped(_AZERI_CYRILLIC), 1.0)),
    **{(language, "Latn"): (("Latn", _bare, 0.15),) for language in ("tr", "tk", "es", "pt", "fr", "pl", "cs", "ro")},
    **{(language, "Latn"): (("Latn", _bare, 0.15),) for language in ("sr", "hr", "sk", "hu", "de", "sv", "sq", "vi")},
}
"""(language, script of the word) -> (script, spelling, weight beside the word's own of 1)."""
