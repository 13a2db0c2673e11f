"""The file of a linear model: safetensors, one tensor, with what the model was trained on as its metadata.

The format holds numbers and text and can run nothing. It is not packed, so nothing can unfold, and every size is
checked against the file's own before memory is taken. Reference: the safetensors format,
https://github.com/huggingface/safetensors#format.
"""

import hashlib
import json
import math
import os
import stat
from pathlib import Path
from typing import Any

import numpy as np

from bastau.errors import ConfigError
from bastau.models.features import Folder, reading_fingerprint
from bastau.models.linear import LinearModel

FORMAT = "bastau-linear-model"
VERSION = 1
MIN_BITS, MAX_BITS = 16, 22
_MAX_HEADER = 1 << 20
_MAX_BYTES = 8 + _MAX_HEADER + (4 << MAX_BITS)
_MAX_NUMBER = 1e6
_TENSOR = "weights"


def save_model(model: LinearModel, path: Path) -> str:
    """Write ``model`` to ``path`` in one step and return its id (16 hex digits, of the weights and numbers)."""
    weights = np.ascontiguousarray(model.weights, np.float32)
    numbers: dict[str, Any] = {
        "bias": model.bias,
        "slope": model.slope,
        "shift": model.shift,
        "threshold": model.threshold,
        "label": model.label,
        "languages": list(model.languages),
        "may_suggest": model.may_suggest,
        "fingerprint": model.fingerprint,
    }
    model_json = json.dumps(numbers, ensure_ascii=False, sort_keys=True)
    metadata = {"format": FORMAT, "version": str(VERSION), "model": model_json}
    metadata["digest"] = _digest(model_json, weights)
    tensor = {"dtype": "F32", "shape": [len(weights)], "data_offsets": [0, weights.nbytes]}
    header = json.dumps({"__metadata__": metadata, _TENSOR: tensor}, ensure_ascii=False).encode()
    header += b" " * (-len(header) % 8)
    beside = path.with_name(path.name + ".part")
    try:
        beside.write_bytes(len(header).to_bytes(8, "little") + header + weights.astype("<f4").tobytes())
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise ConfigError(f"{path}: cannot be written: {error.strerror}") from None
    return metadata["digest"]


def load_model(path: Path, fold: Folder) -> LinearModel:
    """Read a model and make sure that texts are read here as they were when it was trained.

    Raises:
        ConfigError: no such file, another version, other folding or n-grams, or a file that is broken or hostile.
    """
    header, data = _read(path)
    metadata = header.get("__metadata__")
    if not isinstance(metadata, dict) or metadata.get("format") != FORMAT:
        raise ConfigError(f"{path}: is no model of bastau; make one with bastau train")
    if metadata.get("version") != str(VERSION):
        raise ConfigError(
            f"{path}: is a model file of version {str(metadata.get('version'))[:20]!r}; this bastau reads version "
            f"{VERSION}: train it again, or use the bastau that made it"
        )
    weights = _weights(path, header, data)
    model_json = metadata.get("model")
    if not isinstance(model_json, str) or metadata.get("digest") != _digest(model_json, weights):
        raise _broken(path, "its content does not fit its digest")
    model = _model(path, model_json, weights)
    if model.fingerprint != (here := reading_fingerprint(fold)):
        raise ConfigError(
            f"{path}: was trained where texts are folded another way (fingerprint {model.fingerprint}, here {here}), so "
            "its scores would be wrong: train it again with this bastau"
        )
    return model


def model_id(path: Path) -> str:
    """Return the id of a model file, as :func:`save_model` gave it, for suggestions and logs."""
    header, _ = _read(path)
    metadata = header.get("__metadata__")
    return str(metadata.get("digest"))[:16] if isinstance(metadata, dict) else ""


def _broken(path: Path, why: str) -> ConfigError:
    return ConfigError(f"{path}: is broken or was tampered with ({why}); copy it again or train it again")


def _read(path: Path) -> tuple[dict[str, Any], bytes]:
    try:
        with open(path, "rb", opener=_open_now) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise ConfigError(f"{path}: is no file")
            if status.st_size > _MAX_BYTES:
                raise _broken(path, f"{status.st_size} bytes, more than any model has")
            raw = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    size = int.from_bytes(raw[:8], "little")
    if len(raw) < 8 or raw[8:9] != b"{":
        raise ConfigError(f"{path}: is no model of bastau; make one with bastau train")
    if size > min(_MAX_HEADER, len(raw) - 8):
        raise _broken(path, "its header is longer than the file or than any header")
    try:
        header = json.loads(raw[8 : 8 + size].decode())
    except (ValueError, RecursionError):
        raise _broken(path, "its header is no JSON") from None
    if not isinstance(header, dict):
        raise _broken(path, "its header is no JSON object")
    return header, raw[8 + size :]


def _open_now(name: str, flags: int) -> int:
    """Open without waiting for the other end of a pipe."""
    return os.open(name, flags | getattr(os, "O_NONBLOCK", 0))


def _weights(path: Path, header: dict[str, Any], data: bytes) -> np.ndarray:
    tensor = header.get(_TENSOR)
    if set(header) != {"__metadata__", _TENSOR} or not isinstance(tensor, dict):
        raise _broken(path, "it does not hold exactly one tensor of weights")
    sizes = {bits: 1 << bits for bits in range(MIN_BITS, MAX_BITS + 1)}
    shape = tensor.get("shape")
    if tensor.get("dtype") != "F32" or not isinstance(shape, list) or shape not in [[n] for n in sizes.values()]:
        raise _broken(path, "its weights have another type or shape than a model's")
    if tensor.get("data_offsets") != [0, 4 * shape[0]] or len(data) != 4 * shape[0]:
        raise _broken(path, "its weights are cut off or overlong")
    weights = np.frombuffer(data, "<f4").astype(np.float32)
    if not np.isfinite(weights).all() or np.abs(weights).max() > _MAX_NUMBER:
        raise _broken(path, "its weights hold numbers that no training gives")
    return weights


def _model(path: Path, model_json: str, weights: np.ndarray) -> LinearModel:
    try:
        values = json.loads(model_json)
        bias, slope, shift, threshold = (float(values[k]) for k in ("bias", "slope", "shift", "threshold"))
        label, may_suggest, fingerprint = (values[k] for k in ("label", "may_suggest", "fingerprint"))
        languages = tuple(values["languages"])
    except (ValueError, TypeError, KeyError, RecursionError):
        raise _broken(path, "its numbers are missing or none") from None
    if not all(math.isfinite(x) and abs(x) <= _MAX_NUMBER for x in (bias, slope, shift, threshold)) or slope <= 0:
        raise _broken(path, "its calibration holds numbers that no training gives")
    if not (isinstance(label, str) and isinstance(may_suggest, bool) and isinstance(fingerprint, str)):
        raise _broken(path, "its label is missing")
    if not all(isinstance(language, str) for language in languages):
        raise _broken(path, "its languages are no names")
    return LinearModel(weights, bias, slope, shift, threshold, label, languages, may_suggest, fingerprint[:32])


def _digest(model_json: str, weights: np.ndarray) -> str:
    """Return what tells damage; it is no signature, for whoever can write the file can write the digest too."""
    digest = hashlib.blake2b(model_json.encode(), digest_size=8)
    digest.update(np.ascontiguousarray(weights, "<f4").tobytes())
    return digest.hexdigest()
