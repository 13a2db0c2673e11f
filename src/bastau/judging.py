"""``bastau check --judge``: the second opinion of a model that the operator runs or rents, on the texts given to it.

Nothing else ever leaves: no stored post, no author, no address. ``bastau run`` does not come here.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from bastau.errors import ConfigError
from bastau.models.cache import Cache
from bastau.models.calls import Budget, Calls
from bastau.models.embeddings import Embeddings
from bastau.models.endpoint import Endpoint, Reach, read_api_key
from bastau.models.judge import Judge, Judged, shipped_policy
from bastau.settings import JudgeSettings

CACHE_FILE = "model-answers.sqlite"


def open_judge(settings: JudgeSettings, cache: Cache, environ: Mapping[str, str]) -> Judge:
    """Return the judge of the settings.

    Raises:
        ConfigError: none is set, or what is set cannot be.
    """
    return Judge(_calls(settings, environ), settings.model, cache, _policy(settings.policy))


def open_embeddings(settings: JudgeSettings, cache: Cache, environ: Mapping[str, str]) -> Embeddings:
    """Return the embeddings of the settings.

    Raises:
        ConfigError: none are set, or what is set cannot be.
    """
    return Embeddings(_calls(settings, environ), settings.embedding_model, cache)


def open_cache(settings: JudgeSettings, folder: Path) -> Cache:
    """Return the cache of answers in ``folder`` (the home folder)."""
    return Cache(folder / CACHE_FILE if settings.cache_mb else None, settings.cache_mb << 20)


def judge_texts(
    texts: Sequence[str], settings: JudgeSettings, *, folder: Path, environ: Mapping[str, str]
) -> tuple[dict[str, Any], list[str]]:
    """Ask the judge about ``texts`` and return its judgements and what to say about them.

    Args:
        texts: those that the user gave to the command.
        settings: the judge's.
        folder: where the cache is.
        environ: where the key may be.

    Raises:
        ConfigError: no judge is set, or what is set cannot be. A server that fails raises nothing.
    """
    cache = open_cache(settings, folder)
    try:
        judge = open_judge(settings, cache, environ)
        judged = judge.judge(texts)
    finally:
        cache.close()
    answer = {
        "model": settings.model,
        "endpoint": _place(settings.endpoint),
        "judgements": [judgement.as_dict() for judgement in judged.judgements],
        "counts": judged.counts,
        "n_requests": judged.n_requests,
        "n_tokens": judged.n_tokens,
    }
    lines = _lines(judged, settings)
    if cache.is_broken:
        lines.append(
            f"note: {folder / CACHE_FILE} cannot be used, so answers are not kept; delete it or make it writable"
        )
    return answer, lines


def _calls(settings: JudgeSettings, environ: Mapping[str, str]) -> Calls:
    if not settings.endpoint:
        raise ConfigError("no judge is set; write endpoint, model and reach under [judge] in bastau.toml")
    key = read_api_key(environ, variable=settings.api_key_variable, file=settings.api_key_file)
    endpoint = Endpoint(settings.endpoint, cast(Reach, settings.reach), settings.timeout_s, key)
    budget = Budget(settings.max_requests, settings.max_tokens, settings.max_seconds, settings.parallel)
    return Calls(endpoint, budget)


def _policy(file: str) -> str:
    if not file:
        return shipped_policy()
    path = Path(file).expanduser()
    try:
        with path.open("rb") as opened:
            return opened.read(1 << 20).decode("utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: the judge's policy cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: the judge's policy is not UTF-8; save it as UTF-8") from None


def _place(endpoint: str) -> str:
    parts = urlsplit(endpoint)
    return f"{parts.scheme}://{parts.netloc}"


def _lines(judged: Judged, settings: JudgeSettings) -> list[str]:
    counts = dict(judged.counts)
    n_opinions, n_cached, n_unsupported = (counts.pop(key, 0) for key in ("judged", "cached", "unsupported"))
    lines = [
        f"judge {settings.model} at {_place(settings.endpoint)} (texts may go to: {settings.reach}): {n_opinions} opinions, "
        f"{n_cached} of them from before; {judged.n_requests} requests, about {judged.n_tokens} tokens",
        "an opinion orders what rules and known content suggest; it flags nothing, and a person decides",
    ]
    if n_unsupported:
        lines.append(f"{n_unsupported} opinions quote what is not in the text, or nothing: they count for nothing")
    lines += [f"no opinion on {n}: {reason.replace('_', ' ')}" for reason, n in sorted(counts.items())]
    return lines
