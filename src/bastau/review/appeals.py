"""Appeal codes: they come with the notice to the publisher, open the appeal without an account, and only their hash is kept."""

import base64
import hashlib
import hmac

from bastau.errors import Refused
from bastau.review.cases import Case, Entry
from bastau.review.log import Book

RANDOM_BYTES = 20


def new_code(random: bytes) -> str:
    """Return a code of 160 bits to hand out, as eight groups of four letters and digits.

    Args:
        random: RANDOM_BYTES from the system's source for secrets.

    Raises:
        ValueError: of another length.
    """
    if len(random) != RANDOM_BYTES:
        raise ValueError(f"a code is made of {RANDOM_BYTES} random bytes")
    text = base64.b32encode(random).decode()
    return "-".join(text[at : at + 4] for at in range(0, len(text), 4))


def code_hash(code: str) -> str:
    """Return what is kept of a code; blanks, dashes and case do not count. 160 random bits need no slow hash."""
    plain = "".join(code.split()).replace("-", "").upper()
    return hashlib.sha256(plain.encode()).hexdigest()


def words_hash(code_sha256: str, words: str) -> str:
    """Return what the log keeps of the words of an appeal: bound to the code, so that the same words of two publishers stay two."""
    return hashlib.sha256(f"{code_sha256}\n{words}".encode()).hexdigest()


def find_entry(book: Book, code: str) -> tuple[Case, Entry]:
    """Return the case and entry version that a code is for, in a time that does not depend on how much of it is right.

    Raises:
        Refused: ``code``: none has it.
    """
    wanted, found = code_hash(code), None
    for case in book.cases.values():
        for entry in case.entries:
            if hmac.compare_digest(entry.released.code_sha256, wanted):
                found = case, entry
    if found is None:
        raise Refused("code", "no entry has this code")
    return found
