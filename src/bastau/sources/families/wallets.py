"""Addresses of wallets, told from other words by their checksums.

References: Bitcoin Improvement Proposals 13 (Base58Check) and 173, 350 (Bech32, Bech32m); TRON addresses are Base58Check
with version byte 0x41; Ethereum Improvement Proposal 55 (checksum by letter case, needs Keccak-256).
"""

import hashlib

_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
CANDIDATE = r"\b(?:[13T][1-9A-HJ-NP-Za-km-z]{25,34}|bc1[02-9ac-hj-np-z]{11,71}|0x[0-9a-fA-F]{40})\b"
"""Words that may be an address, as a pattern for Polars."""
_CONTRACTS = frozenset(
    {"dac17f958d2ee523a2206206994597c13d831ec7", "a0b86991c6218b36c1d19d4a2e9eb0ce3606eb48", "0" * 40, "f" * 40}
)
"""USDT, USDC and the empty address: everybody names them and nobody owns them."""


def wallet(word: str) -> str | None:
    """Return ``word`` as ``chain:address`` where its checksum holds, else None."""
    if word[0] in "13":
        return f"btc:{word}" if _base58_version(word) in (0x00, 0x05) else None
    if word[0] == "T":
        return f"tron:{word}" if _base58_version(word) == 0x41 else None
    if word.startswith("bc1"):
        return f"btc:{word}" if _is_bech32(word) else None
    return _ethereum(word[2:]) if word.startswith("0x") else None


def _base58_version(word: str) -> int | None:
    number = 0
    for letter in word:
        number = number * 58 + _BASE58.index(letter)
    if number >= 1 << 200:
        return None
    data = number.to_bytes(25, "big")
    is_whole = hashlib.sha256(hashlib.sha256(data[:21]).digest()).digest()[:4] == data[21:]
    return data[0] if is_whole else None


def _is_bech32(word: str) -> bool:
    values = [_BECH32.find(letter) for letter in word[3:]]
    if -1 in values or len(values) < 8:
        return False
    check = 1
    for value in [3, 3, 0, 2, 3, *values]:  # "bc", expanded
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for i, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            check ^= generator if top >> i & 1 else 0
    return check in (1, 0x2BC830A3)


def _ethereum(digits: str) -> str | None:
    folded = digits.lower()
    # Without mixed case there is no checksum, and a bare hash looks alike.
    if folded in _CONTRACTS or digits in (folded, digits.upper()):
        return None
    marks = keccak256(folded.encode()).hex()
    for digit, mark in zip(digits, marks, strict=False):
        if digit.isalpha() and digit.isupper() != (int(mark, 16) >= 8):
            return None
    return f"eth:0x{folded}"


_ROUNDS = (
    0x0000000000000001, 0x0000000000008082, 0x800000000000808A, 0x8000000080008000, 0x000000000000808B, 0x0000000080000001,
    0x8000000080008081, 0x8000000000008009, 0x000000000000008A, 0x0000000000000088, 0x0000000080008009, 0x000000008000000A,
    0x000000008000808B, 0x800000000000008B, 0x8000000000008089, 0x8000000000008003, 0x8000000000008002, 0x8000000000000080,
    0x000000000000800A, 0x800000008000000A, 0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008,
)  # fmt: skip
_MASK = (1 << 64) - 1


def keccak256(data: bytes) -> bytes:
    """Return Keccak-256 of at most 135 bytes; not SHA3-256, whose padding differs.

    Reference: Bertoni et al. 2011, The Keccak reference, version 3.0, section 1.2.
    """
    rate = 136
    if len(data) >= rate:
        raise ValueError("one block only")
    block = bytearray(data.ljust(rate, b"\0"))
    block[len(data)] ^= 0x01
    block[-1] ^= 0x80
    lanes = [[0] * 5 for _ in range(5)]
    for i in range(rate // 8):
        lanes[i % 5][i // 5] = int.from_bytes(block[8 * i : 8 * i + 8], "little")
    for constant in _ROUNDS:
        columns = [lanes[x][0] ^ lanes[x][1] ^ lanes[x][2] ^ lanes[x][3] ^ lanes[x][4] for x in range(5)]
        mixed = [columns[(x - 1) % 5] ^ _rotate(columns[(x + 1) % 5], 1) for x in range(5)]
        lanes = [[lanes[x][y] ^ mixed[x] for y in range(5)] for x in range(5)]
        x, y, current = 1, 0, lanes[1][0]
        for step in range(24):
            x, y = y, (2 * x + 3 * y) % 5
            current, lanes[x][y] = lanes[x][y], _rotate(current, (step + 1) * (step + 2) // 2)
        for y in range(5):
            row = [lanes[x][y] for x in range(5)]
            for x in range(5):
                lanes[x][y] = row[x] ^ (~row[(x + 1) % 5] & row[(x + 2) % 5] & _MASK)
        lanes[0][0] ^= constant
    return b"".join(lanes[i % 5][i // 5].to_bytes(8, "little") for i in range(4))


def _rotate(lane: int, by: int) -> int:
    by %= 64
    return (lane << by | lane >> (64 - by)) & _MASK
