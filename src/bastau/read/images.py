"""Pictures and videos to hashes, with limits that hold before anything is decoded (extra ``media``).

A file is judged by its header first: bytes, format, pixels. Only then are pixels made, for large JPEGs at a half, a
quarter or an eighth of their size straight from the file's own frequencies.
"""

import hashlib
import io
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO

import numpy as np

from bastau.errors import ConfigError, InputError
from bastau.read.known_pdq import MIN_QUALITY
from bastau.read.pdq_hash import SIDE, pdq_hash, pdq_turned

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP")
"""Formats that are opened; others (TIFF, PSD, EPS, ...) have decoders that few test and are rejected."""
MAX_SCANS = 200
"""Scans of one JPEG; a progressive one has about ten. Each goes over every pixel, so thousands in a small file are a bomb."""
VIDEO_SUFFIXES = frozenset({".mp4", ".m4v", ".mov", ".webm", ".mkv", ".avi", ".3gp", ".mpg", ".mpeg", ".ts"})


@dataclass(frozen=True)
class MediaLimits:
    """What is too large to open.

    Args:
        file_bytes: of a picture's file.
        pixels: of a picture, as its header says, or of a video frame.
        video_bytes: of a video's file.
        video_s: seconds of film that are looked at, one frame a second.
        decode_s: seconds of work on one video after which the rest is left.
    """

    file_bytes: int = 64 << 20
    pixels: int = 80_000_000
    video_bytes: int = 4 << 30
    video_s: int = 4 * 3600
    decode_s: float = 600.0


class MediaRejected(InputError):
    """A media file is not opened or not understood; ``reason`` is a short code."""

    def __init__(self, reason: str, detail: str):
        super().__init__(detail)
        self.reason = reason


class ExtraMissing(ConfigError):
    """The extra ``media`` is not installed."""


@dataclass(frozen=True)
class ImageHash:
    """PDQ of one picture.

    Args:
        pdq: 64 hexadecimal digits.
        quality: in [0, 100]; below 50 the hash is not used.
        width: of the picture, pixels.
        height: of the picture, pixels.
        turned: hashes of the turned and mirrored forms, if asked for; itself first.
    """

    pdq: str
    quality: int
    width: int
    height: int
    turned: tuple[str, ...] = ()

    @property
    def is_usable(self) -> bool:
        """Whether the picture has enough detail for its hash to mean something."""
        return self.quality >= MIN_QUALITY


def _pillow() -> ModuleType:
    try:
        import PIL.Image
    except ImportError as error:
        raise ExtraMissing("pictures need the extra media: pip install 'bastau[media]'") from error
    return PIL.Image


def hash_image(source: bytes | Path, limits: MediaLimits | None = None, *, turned: bool = False) -> ImageHash:
    """Return the PDQ hash of a picture, of an animation that of its first frame.

    Raises:
        MediaRejected: too large, no picture, a format that is not opened, or broken off.
        ExtraMissing: the extra is not installed.
        ConfigError: the file cannot be read.
    """
    limits = limits or MediaLimits()
    name = "picture" if isinstance(source, bytes) else source.name
    raw = source if isinstance(source, bytes) else _read(source, limits.file_bytes)
    if len(raw) > limits.file_bytes:
        raise MediaRejected("too_many_bytes", f"{name}: more than {limits.file_bytes >> 20} MiB")
    pixels, width, height = _pixels(raw, name, limits)
    if turned:
        forms, quality = pdq_turned(pixels)
        return ImageHash(forms[0].hex(), quality, width, height, tuple(form.hex() for form in forms))
    digest, quality = pdq_hash(pixels)
    return ImageHash(digest.hex(), quality, width, height)


def _read(path: Path, most: int) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(most + 1)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error


def _pixels(raw: bytes, name: str, limits: MediaLimits) -> tuple[np.ndarray, int, int]:
    """Return (uint8 (h, w, 1 or 3), width, height); the array may be smaller than the picture."""
    pillow = _pillow()
    try:
        with warnings.catch_warnings():
            # Pillow warns of large pictures; ours is the limit that counts.
            warnings.simplefilter("ignore")
            with pillow.open(io.BytesIO(raw), formats=FORMATS) as image:
                width, height = image.size
                if width * height > limits.pixels:
                    raise MediaRejected(
                        "too_many_pixels",
                        f"{name}: {width} x {height} pixels, more than {limits.pixels // 1_000_000} million",
                    )
                if image.format == "JPEG":
                    if raw.count(b"\xff\xda") > MAX_SCANS:
                        raise MediaRejected("too_many_scans", f"{name}: more than {MAX_SCANS} scans in one JPEG")
                    image.draft("RGB" if image.mode != "L" else "L", (SIDE, SIDE))
                grey = image.mode in ("L", "1")
                pixels = np.asarray(image.convert("L" if grey else "RGB"))
    except MediaRejected:
        raise
    except pillow.DecompressionBombError as error:
        raise MediaRejected("too_many_pixels", f"{name}: far too many pixels") from error
    except pillow.UnidentifiedImageError as error:
        raise MediaRejected("not_an_image", f"{name}: no {', '.join(FORMATS)} file") from error
    except (OSError, SyntaxError, ValueError, EOFError, OverflowError, IndexError, TypeError) as error:
        # Pillow's decoders answer broken files with any of these.
        raise MediaRejected("broken_image", f"{name}: broken or cut off") from error
    except MemoryError as error:
        raise MediaRejected("too_many_pixels", f"{name}: needs more memory than there is") from error
    return (pixels if pixels.ndim == 3 else pixels[:, :, None]), width, height


# ---- video ---------------------------------------------------------------------------------------------


def hash_video(path: Path, limits: MediaLimits | None = None) -> list[tuple[int, int, bytes, float]]:
    """Return (frame number, quality, PDQ, second) of one frame a second of a video.

    Raises:
        MediaRejected: too large, or nothing that can be decoded.
        ExtraMissing: the extra is not installed.
        ConfigError: the file cannot be read.
    """
    limits = limits or MediaLimits()
    try:
        import av
    except ImportError as error:
        raise ExtraMissing("videos need the extra media: pip install 'bastau[media]'") from error
    try:
        if path.stat().st_size > limits.video_bytes:
            raise MediaRejected("too_many_bytes", f"{path.name}: more than {limits.video_bytes >> 30} GiB")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        # Only the file itself: a playlist inside it must not make us open addresses.
        with av.open(str(path), options={"protocol_whitelist": "file"}) as container:
            frames = _video_frames(container, path.name, limits)
    except av.error.FFmpegError as error:
        raise MediaRejected("not_a_video", f"{path.name}: no video that can be decoded") from error
    if not frames:
        raise MediaRejected("not_a_video", f"{path.name}: no frame that can be decoded")
    return frames


def _video_frames(container: Any, name: str, limits: MediaLimits) -> list[tuple[int, int, bytes, float]]:
    if not container.streams.video:
        return []
    stream = container.streams.video[0]
    width, height = stream.codec_context.width, stream.codec_context.height
    if width * height > limits.pixels:
        raise MediaRejected("too_many_pixels", f"{name}: frames of {width} x {height} pixels")
    frames: list[tuple[int, int, bytes, float]] = []
    started = time.monotonic()
    due = 0.0
    for number, frame in enumerate(container.decode(stream)):
        second = float(frame.time) if frame.time is not None else number / float(stream.average_rate or 25)
        if second > limits.video_s or time.monotonic() - started > limits.decode_s:
            break
        if second + 1e-6 < due:
            continue
        digest, quality = pdq_hash(np.ascontiguousarray(frame.to_ndarray(format="rgb24")))
        frames.append((number, quality, digest, second))
        due = second + 1.0
    return frames


# ---- any file ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class FileHashes:
    """What is known of one media file.

    Args:
        size_bytes: of the file.
        sha256: 64 hexadecimal digits.
        md5: 32 hexadecimal digits, for old lists.
        image: of a picture that could be read.
        frames: of a video that could be read: (number, quality, PDQ, second).
        reason: why there is neither, as :class:`MediaRejected` says it; ``detail`` the same in words.
    """

    size_bytes: int
    sha256: str
    md5: str
    image: ImageHash | None = None
    frames: tuple[tuple[int, int, bytes, float], ...] = ()
    reason: str | None = None
    detail: str | None = None


def hash_file(path: Path, limits: MediaLimits | None = None, *, turned: bool = False) -> FileHashes:
    """Return every hash of a media file: of its bytes always, of what it shows if it can be read.

    Raises:
        ConfigError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            size, sha256, md5 = _digests(file)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from error
    try:
        if path.suffix.lower() in VIDEO_SUFFIXES:
            return FileHashes(size, sha256, md5, frames=tuple(hash_video(path, limits)))
        return FileHashes(size, sha256, md5, image=hash_image(path, limits, turned=turned))
    except MediaRejected as rejected:
        return FileHashes(size, sha256, md5, reason=rejected.reason, detail=str(rejected))
    except ExtraMissing as missing:
        return FileHashes(size, sha256, md5, reason="extra_media_missing", detail=str(missing))


def hash_bytes(raw: bytes, limits: MediaLimits | None = None) -> FileHashes:
    """Return every hash of a picture held in memory, as :func:`hash_file`."""
    size, sha256, md5 = _digests(io.BytesIO(raw))
    try:
        return FileHashes(size, sha256, md5, image=hash_image(raw, limits))
    except MediaRejected as rejected:
        return FileHashes(size, sha256, md5, reason=rejected.reason, detail=str(rejected))


def _digests(file: BinaryIO) -> tuple[int, str, str]:
    sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    size = 0
    while block := file.read(1 << 20):
        sha256.update(block)
        md5.update(block)
        size += len(block)
    return size, sha256.hexdigest(), md5.hexdigest()
