"""Which script a character is of."""

from functools import cache

import numpy as np

_RANGES = {
    "Latn": ((0x41, 0x5B), (0x61, 0x7B), (0xC0, 0x2B0), (0x1E00, 0x1F00)),
    "Cyrl": ((0x400, 0x530), (0x1C80, 0x1C90), (0x2DE0, 0x2E00), (0xA640, 0xA6A0)),
    "Arab": ((0x620, 0x660), (0x66E, 0x6D4), (0x6D5, 0x6E0), (0x6FA, 0x700), (0x750, 0x780), (0x8A0, 0x900)),
    "Hani": ((0x3400, 0x4DC0), (0x4E00, 0xA000)),
    "Jpan": ((0x3040, 0x3100),),
    "Hang": ((0x1100, 0x1200), (0xAC00, 0xD7B0)),
    "Grek": ((0x370, 0x400), (0x1F00, 0x2000)),
    "Armn": ((0x530, 0x590),),
    "Geor": ((0x10A0, 0x1100), (0x1C90, 0x1CC0)),
    "Hebr": ((0x5D0, 0x5F5),),
    "Deva": ((0x900, 0x980),),
    "Thai": ((0xE00, 0xE80),),
    "Beng": ((0x980, 0xA00),),
    "Guru": ((0xA00, 0xA80),),
    "Gujr": ((0xA80, 0xB00),),
    "Taml": ((0xB80, 0xC00),),
    "Telu": ((0xC00, 0xC80),),
    "Mymr": ((0x1000, 0x10A0),),
    "Ethi": ((0x1200, 0x13A0),),
    "Khmr": ((0x1780, 0x1800),),
    "Mong": ((0x1800, 0x18B0),),
    "Tibt": ((0xF00, 0x1000),),
}
SCRIPTS = ("Zyyy", *_RANGES)
"""Names by number; 0 is for characters of no script. Han and Kana text is told apart by `Jpan` letters."""
ONE_LANGUAGE = {
    "Hani": "zh", "Jpan": "ja", "Hang": "ko", "Grek": "el", "Armn": "hy", "Geor": "ka", "Hebr": "he", "Thai": "th",
}  # fmt: skip
"""Scripts that one language has nearly to itself."""
_SIMPLIFIED = "们这国来对时会个为学说过还没样发经现实动关问进长开见两间头后点气电车东门马风从业义书亲听习买卖"
_TRADITIONAL = "們這國來對時會個為學說過還沒樣發經現實動關問進長開見兩間頭後點氣電車東門馬風從業義書親聽習買賣"


@cache
def script_table() -> np.ndarray:
    """Return uint8 (65536,): the number in SCRIPTS of each character of the basic plane."""
    table = np.zeros(1 << 16, np.uint8)
    for script, ranges in _RANGES.items():
        for first, end in ranges:
            table[first:end] = SCRIPTS.index(script)
    return table


@cache
def han_forms() -> np.ndarray:
    """Return int8 (65536,): 1 for characters of simplified Chinese only, -1 of traditional only, else 0."""
    forms = np.zeros(1 << 16, np.int8)
    for simplified, traditional in zip(_SIMPLIFIED, _TRADITIONAL, strict=True):
        if simplified != traditional:
            forms[ord(simplified)], forms[ord(traditional)] = 1, -1
    return forms
