"""Words of alerts in Kazakh, Russian and English."""

from collections import Counter
from collections.abc import Sequence

from bastau.alerts.findings import Finding

MAX_TOLD = 100
"""Findings that one message tells in words; of more, the latest."""

_TEXTS = {
    "en": {
        "new": "New narrative {subject}: {n_posts} posts by {n_sources} sources since {since} UTC",
        "grown": "Narrative {subject} has grown to {n_posts} posts by {n_sources} sources",
        "coordinated": "New group {subject}: {n_sources} publishers moved together on {n_objects} objects. This says nothing of intent.",
        "known": "Narrative {subject}: posts equal known content ({n_posts} posts); a person must look",
        "proposition": "Narrative {subject} fits your proposition {proposition}: {n_posts} posts by {n_sources} sources",
        "search": "Narrative {subject} has posts that fit your search {rule}: {n_posts} by {n_sources} sources",
        "silent": "Source {subject} answers, but has brought nothing since {since} UTC",
        "gap": "Posts of {subject} may have been missed from {since} to {until} UTC ({reason})",
        "digest": "{n} findings",
        "more": "... and {n} older ones: {by_rule}",
        "one_house": "It is openly one publisher's network.",
    },
    "ru": {
        "new": "Новый нарратив {subject}: {n_posts} постов, источников: {n_sources}, с {since} UTC",
        "grown": "Нарратив {subject} вырос до {n_posts} постов, источников: {n_sources}",
        "coordinated": "Новая группа {subject}: {n_sources} издателей действовали одновременно, объектов: {n_objects}. О намерениях это ничего не говорит.",
        "known": "Нарратив {subject}: посты совпадают с известным контентом (постов: {n_posts}); нужен взгляд человека",
        "proposition": "Нарратив {subject} соответствует вашему тезису {proposition}: {n_posts} постов, источников: {n_sources}",
        "search": "В нарративе {subject} есть посты по вашему поиску {rule}: {n_posts}, источников: {n_sources}",
        "silent": "Источник {subject} отвечает, но ничего не публиковал с {since} UTC",
        "gap": "Посты {subject} могли быть пропущены с {since} до {until} UTC ({reason})",
        "digest": "Находок: {n}",
        "more": "... и более ранние ({n}): {by_rule}",
        "one_house": "Это открытая сеть одного издателя.",
    },
    "kk": {
        "new": "Жаңа нарратив {subject}: {n_posts} жазба, дереккөздер: {n_sources}, {since} UTC бастап",
        "grown": "{subject} нарративі {n_posts} жазбаға дейін өсті, дереккөздер: {n_sources}",
        "coordinated": "Жаңа топ {subject}: {n_sources} баспагер бір мезгілде әрекет етті, нысандар: {n_objects}. Бұл ниет туралы ештеңе айтпайды.",
        "known": "{subject} нарративі: жазбалар белгілі контентпен сәйкес келеді (жазбалар: {n_posts}); адам қарауы керек",
        "proposition": "{subject} нарративі {proposition} тезисіңізге сәйкес: {n_posts} жазба, дереккөздер: {n_sources}",
        "search": "{subject} нарративінде {rule} іздеуіңізге сай жазбалар бар: {n_posts}, дереккөздер: {n_sources}",
        "silent": "{subject} дереккөзі жауап береді, бірақ {since} UTC бастап ештеңе жарияламады",
        "gap": "{subject} жазбалары {since} мен {until} UTC аралығында өткізіп алынуы мүмкін ({reason})",
        "digest": "Табылғаны: {n}",
        "more": "... және бұрынғылары ({n}): {by_rule}",
        "one_house": "Бұл — бір баспагердің ашық желісі.",
    },
}


def line(finding: Finding, locale: str) -> str:
    """Return one finding in words."""
    facts = {key: "?" if value is None else value for key, value in finding.facts.items()}
    text = _TEXTS[locale][finding.when].format(**facts, subject=finding.subject, rule=finding.rule)
    if finding.facts.get("is_one_house"):
        text += " " + _TEXTS[locale]["one_house"]
    if finding.facts.get("sources"):
        text += "\n" + ", ".join(finding.facts["sources"])
    if finding.facts.get("words"):
        text += "\n> " + " ".join(str(finding.facts["words"]).split())[:500]
    return text


def title(findings: Sequence[Finding], locale: str) -> str:
    """Return the subject of a message."""
    if len(findings) == 1:
        return "bastau: " + line(findings[0], locale).split("\n")[0][:150]
    return "bastau: " + _TEXTS[locale]["digest"].format(n=len(findings))


def body(findings: Sequence[Finding], locale: str) -> str:
    """Return the text of a message: the latest in words, those before them counted by rule."""
    told = [line(finding, locale) for finding in findings[-MAX_TOLD:]]
    if older := Counter(finding.rule for finding in findings[:-MAX_TOLD]):
        by_rule = ", ".join(f"{rule} {n}" for rule, n in older.most_common())
        told.append(_TEXTS[locale]["more"].format(n=older.total(), by_rule=by_rule))
    return "\n\n".join(told) + "\n"
