import io
import struct
import zlib

import numpy as np
import pytest

from bastau.errors import ConfigError
from bastau.read.images import MediaLimits, MediaRejected, hash_file, hash_image, hash_video
from bastau.read.pdq_hash import pdq_hash, pdq_turned

Image = pytest.importorskip("PIL.Image")


def picture(height=300, width=400, seed=1):
    """Return soft random blobs, uint8 (height, width, 3)."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8))
    return np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC))


def packed(pixels, format_="PNG", **options):
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, format_, **options)
    return out.getvalue()


def apart(a, b):
    return (int(a, 16) ^ int(b, 16)).bit_count()


def claimed_png(width, height):
    """Return a PNG file of a hundred bytes that says how large it is."""

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def test_a_picture_and_its_jpeg_have_nearly_one_hash():
    pixels = picture()
    kept, lossy = hash_image(packed(pixels)), hash_image(packed(pixels, "JPEG", quality=60))
    assert kept.is_usable
    assert apart(kept.pdq, lossy.pdq) <= 10
    assert (kept.width, kept.height) == (400, 300)


def test_different_pictures_are_far_apart():
    assert apart(hash_image(packed(picture(seed=1))).pdq, hash_image(packed(picture(seed=2))).pdq) > 60


def test_a_large_jpeg_is_decoded_small_and_keeps_its_hash():
    large = picture(2400, 3200)
    exact = hash_image(packed(large)).pdq
    assert apart(hash_image(packed(large, "JPEG", quality=95)).pdq, exact) <= 10


def test_a_plain_area_has_no_usable_hash():
    assert not hash_image(packed(np.full((200, 200, 3), 90, np.uint8))).is_usable


def test_turned_forms_are_the_hashes_of_turned_pictures():
    pixels = picture(512, 512, seed=5)
    forms, _ = pdq_turned(pixels)
    turned = [
        pixels,
        np.rot90(pixels),
        np.rot90(pixels, 2),
        np.rot90(pixels, 3),
        pixels[::-1],
        pixels[:, ::-1],
        pixels.transpose(1, 0, 2),
        np.rot90(pixels, 2).transpose(1, 0, 2),
    ]
    for at, other in enumerate(turned):
        # The reference filter leans to one side, so a turned picture is close, not equal.
        distances = [apart(form.hex(), pdq_hash(np.ascontiguousarray(other))[0].hex()) for form in forms]
        assert distances.index(min(distances)) == at
        assert min(distances) < 60


def test_the_hash_is_that_of_the_pdqhash_package():
    pdqhash = pytest.importorskip("pdqhash")
    for seed, (height, width) in enumerate([(64, 64), (200, 333), (512, 512), (511, 130), (90, 512)]):
        pixels = picture(height, width, seed)
        bits, quality = pdqhash.compute(pixels)
        ours, our_quality = pdq_hash(pixels)
        # The sums are the same, their rounding is not always.
        assert apart(np.packbits(bits).tobytes().hex(), ours.hex()) <= 2
        assert abs(our_quality - quality) <= 1


@pytest.mark.parametrize("mode", ["L", "1", "P", "RGBA", "LA", "CMYK"])
def test_every_kind_of_pixel_is_read(mode):
    image = Image.fromarray(picture()).convert(mode)
    out = io.BytesIO()
    image.save(out, "JPEG" if mode == "CMYK" else "PNG")
    assert len(hash_image(out.getvalue()).pdq) == 64


@pytest.mark.parametrize(("width", "height"), [(25_000, 20_000), (2**31 - 1, 1), (60_000, 60_000)])
def test_a_picture_of_500_megapixels_is_rejected_by_its_header(width, height):
    with pytest.raises(MediaRejected) as caught:
        hash_image(claimed_png(width, height))
    assert caught.value.reason == "too_many_pixels"
    assert isinstance(caught.value, ConfigError)


def test_a_bomb_below_the_limit_of_bytes_is_rejected_by_its_pixels():
    bomb = io.BytesIO()
    Image.new("1", (12_000, 12_000)).save(bomb, "PNG")
    assert len(bomb.getvalue()) < 100_000
    with pytest.raises(MediaRejected, match="pixels"):
        hash_image(bomb.getvalue())


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP", "GIF", "BMP"])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.9])
def test_a_file_that_breaks_off_is_rejected(format_, share):
    whole = packed(picture(), format_)
    with pytest.raises(MediaRejected) as caught:
        hash_image(whole[: int(len(whole) * share)])
    assert caught.value.reason in ("broken_image", "not_an_image")


@pytest.mark.parametrize("raw", [b"", b"\x00" * 100, b"<svg></svg>", b"GIF89a", b"\xff\xd8\xff\xe0"])
def test_what_is_no_picture_is_rejected(raw):
    with pytest.raises(MediaRejected):
        hash_image(raw)


def test_a_jpeg_of_thousands_of_scans_is_rejected_unread():
    raw = packed(picture(), "JPEG", progressive=True)
    assert hash_image(raw).is_usable
    with pytest.raises(MediaRejected) as caught:
        hash_image(raw + b"\xff\xda" * 1000)
    assert caught.value.reason == "too_many_scans"


def test_formats_with_risky_decoders_are_not_opened():
    with pytest.raises(MediaRejected) as caught:
        hash_image(packed(picture(), "TIFF"))
    assert caught.value.reason == "not_an_image"


def test_too_many_bytes_are_rejected_before_decoding():
    with pytest.raises(MediaRejected) as caught:
        hash_image(packed(picture()), MediaLimits(file_bytes=100))
    assert caught.value.reason == "too_many_bytes"


def test_a_file_that_shows_nothing_still_has_hashes_of_its_bytes(tmp_path):
    (tmp_path / "x.pdf").write_bytes(b"abc")
    hashes = hash_file(tmp_path / "x.pdf")
    assert hashes.sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert hashes.md5 == "900150983cd24fb0d6963f7d28e17f72"
    assert hashes.reason == "not_an_image"


def test_a_missing_file_is_the_users_error(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        hash_file(tmp_path / "none.jpg")


def test_a_video_gives_a_hash_a_second_and_a_broken_one_none(tmp_path):
    av = pytest.importorskip("av")
    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for number in range(35):
            frame = av.VideoFrame.from_ndarray(picture(240, 320, number // 10), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    frames = hash_video(path)
    assert [round(second) for *_, second in frames] == [0, 1, 2, 3]
    assert apart(frames[0][2].hex(), frames[1][2].hex()) > 60
    (tmp_path / "cut.mp4").write_bytes(path.read_bytes()[:200])
    with pytest.raises(MediaRejected):
        hash_video(tmp_path / "cut.mp4")
    (tmp_path / "list.mp4").write_text("#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/x.ts\n")
    with pytest.raises(MediaRejected):
        hash_video(tmp_path / "list.mp4")
