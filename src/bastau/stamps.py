"""Time stamps by others: that the head of the chain existed by a certain time, shown without trusting us.

An authority signs the head (RFC 3161); a calendar of OpenTimestamps commits to it and later to a public ledger. Both are
asked only when the operator configured one, and learn nothing but a hash. Their answers are kept beside the chain and
checked offline.
"""

import contextlib
import hashlib
import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow.fs as pafs

from bastau.chain import ZERO, Chain, Entry, Finding, Lock
from bastau.errors import ConfigError, SourceChanged, SourceUnavailable
from bastau.lake import write_whole
from bastau.network import Client, NetworkLimits

_LIMITS = NetworkLimits(allow_private=True, total_s=60.0, max_bytes=64 << 10, max_redirects=0, tries=1)
"""The address is the operator's own choice, an authority in the house as well as one outside."""
Post = Callable[[str, bytes, str], bytes]
"""(address, body, content type) -> answer."""


def post(address: str, body: bytes, kind: str) -> bytes:
    """Send ``body`` to an address that the operator named; errors as of :meth:`Client.request`."""
    return Client(_LIMITS).request("POST", address, {"Content-Type": kind}, body)


def stamp(
    folder: Path,
    now: datetime,
    *,
    authority: str = "",
    calendar: str = "",
    send: Post = post,
    lock: Lock = contextlib.nullcontext,
    name: str = "chain.ndjson",
) -> list[Entry]:
    """Have the head of the chain stamped by those configured; return the new acts.

    Args:
        lock: held while the stamps are written, not while the services are asked.
        name: file of the chain in ``folder``.

    Raises:
        ConfigError: neither is configured, the chain is empty, or bastau[evidence] is not installed.
        SourceUnavailable: a service does not answer.
        SourceChanged: it answers with something else.
    """
    asked = [
        (kind, address, ending, ask)
        for kind, address, ending, ask in (
            ("rfc3161", authority, "tsr", _ask_authority),
            ("opentimestamps", calendar, "ots", _ask_calendar),
        )
        if address
    ]
    chain = Chain(folder, name)
    if not asked:
        raise ConfigError("no service is configured: [evidence] authority (RFC 3161) or calendar (OpenTimestamps)")
    if chain.head == ZERO:
        raise ConfigError("the chain is empty; there is nothing to stamp")
    head, number = chain.head, chain.n
    answers = [(kind, address, ending, ask(address, bytes.fromhex(head), send)) for kind, address, ending, ask in asked]
    with lock():
        chain = Chain(folder, name)  # others may have written meanwhile
        made = []
        for act, (kind, address, ending, data) in enumerate(answers, chain.n + 1):
            file = f"{act:08d}.{ending}"
            _put(folder / "stamps" / file, data)
            made.append(
                {
                    "act": "stamped",
                    "by": address,
                    "kind": kind,
                    "of": number,
                    "head": head,
                    "file": file,
                    "sha256": hashlib.sha256(data).hexdigest(),
                }
            )
        return chain.append(made, now)


def _put(path: Path, data: bytes) -> None:
    """Write a stamp, on disk before the act that names it."""
    write_whole(pafs.LocalFileSystem(), str(path), lambda sink: sink.write(data))


def _ask_authority(address: str, head: bytes, send: Post) -> bytes:
    client = _library("rfc3161_client")
    request = (
        client.TimestampRequestBuilder()
        .data(head)
        .hash_algorithm(client.HashAlgorithm.SHA256)
        .nonce(nonce=True)
        .build()
    )
    data = send(address, request.as_bytes(), "application/timestamp-query")
    try:
        answer = client.decode_timestamp_response(data)
    except ValueError as error:
        raise SourceChanged(f"{address}: its answer is no time stamp") from error
    if answer.status not in (client.PKIStatus.GRANTED.value, client.PKIStatus.GRANTED):
        raise SourceUnavailable(f"{address}: refuses to stamp (status {answer.status})")
    if answer.tst_info.message_imprint.message != hashlib.sha256(head).digest():
        raise SourceChanged(f"{address}: stamped something else")
    return data


def _ask_calendar(address: str, head: bytes, send: Post) -> bytes:
    _library("opentimestamps")
    from opentimestamps.core.op import OpSHA256
    from opentimestamps.core.serialize import (
        BytesDeserializationContext,
        BytesSerializationContext,
        DeserializationError,
    )
    from opentimestamps.core.timestamp import DetachedTimestampFile, Timestamp

    message = hashlib.sha256(head).digest()
    data = send(address.rstrip("/") + "/digest", message, "application/octet-stream")
    try:
        timestamp = Timestamp.deserialize(BytesDeserializationContext(data), message)
    except (DeserializationError, ValueError) as error:
        raise SourceChanged(f"{address}: its answer is no OpenTimestamps proof") from error
    out = BytesSerializationContext()
    DetachedTimestampFile(OpSHA256(), timestamp).serialize(out)
    return bytes(out.getbytes())


def verify_stamps(
    folder: Path, *, authority_file: str = "", name: str = "chain.ndjson"
) -> tuple[list[dict[str, Any]], list[Finding]]:
    """Check stored stamps offline; return (what each shows, what is wrong).

    Args:
        authority_file: certificates (PEM) of the authority; without them the stamp is compared with the head, but whose
            signature it carries is not known.
    """
    shown, findings = [], []
    heads = {}
    for entry in Chain(folder, name).entries():
        heads[entry["n"]] = entry["hash"]
        if entry.get("act") != "stamped":
            continue
        if not _is_stamp(entry):
            findings.append(Finding("bad_stamp", entry["n"], "the act has not what an act of stamping has"))
            continue
        path = folder / "stamps" / entry["file"]
        number = entry["n"]
        if not path.exists():
            findings.append(Finding("missing", number, f"{entry['file']} is not there"))
            continue
        data = path.read_bytes()
        if hashlib.sha256(data).hexdigest() != entry["sha256"]:
            findings.append(Finding("changed", number, f"{entry['file']} is not what the service sent"))
            continue
        if heads.get(entry["of"]) != entry["head"]:
            findings.append(Finding("stamp_of_other", number, f"act {entry['of']} is not the one that was stamped"))
            continue
        check = _check_authority if entry["kind"] == "rfc3161" else _check_calendar
        result, problem = check(data, bytes.fromhex(entry["head"]), authority_file)
        if problem:
            findings.append(Finding("bad_stamp", number, f"{entry['file']}: {problem}"))
        else:
            shown.append({"of": entry["of"], "kind": entry["kind"], "by": entry["by"], **result})
    return shown, findings


def _is_stamp(entry: Entry) -> bool:
    """Say whether an act of stamping has its fields: a log from elsewhere may name any file."""
    shapes = {
        "file": r"\d{8,}\.(?:tsr|ots)",
        "head": "[0-9a-f]{64}",
        "sha256": "[0-9a-f]{64}",
        "kind": "rfc3161|opentimestamps",
        "by": ".*",
    }
    said = {name: entry.get(name) for name in shapes}
    return type(entry.get("of")) is int and all(
        isinstance(value, str) and re.fullmatch(shapes[name], value) for name, value in said.items()
    )


def _check_authority(data: bytes, head: bytes, authority_file: str) -> tuple[dict[str, Any], str | None]:
    client = _library("rfc3161_client")
    try:
        answer = client.decode_timestamp_response(data)
    except ValueError:
        return {}, "cannot be read"
    info = answer.tst_info
    if info.message_imprint.message != hashlib.sha256(head).digest():
        return {}, "stamps something else"
    result = {"at": info.gen_time.isoformat(), "is_signature_checked": bool(authority_file)}
    if not authority_file:
        return result, None
    from cryptography import x509

    try:
        roots = x509.load_pem_x509_certificates(Path(authority_file).expanduser().read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigError(f"{authority_file}: no certificates can be read from it") from error
    builder = client.VerifierBuilder()
    for root in roots:
        builder = builder.add_root_certificate(root)
    try:
        builder.build().verify_message(answer, head)
    except client.VerificationError as error:
        return {}, f"the signature does not hold: {error}"
    return result, None


def _check_calendar(data: bytes, head: bytes, _authority_file: str) -> tuple[dict[str, Any], str | None]:
    _library("opentimestamps")
    from opentimestamps.core.notary import BitcoinBlockHeaderAttestation, PendingAttestation
    from opentimestamps.core.serialize import BytesDeserializationContext, DeserializationError
    from opentimestamps.core.timestamp import DetachedTimestampFile

    try:
        proof = DetachedTimestampFile.deserialize(BytesDeserializationContext(data))
    except (DeserializationError, ValueError):
        return {}, "cannot be read"
    if proof.file_digest != hashlib.sha256(head).digest():
        return {}, "commits to something else"
    kinds = [attestation for _, attestation in proof.timestamp.all_attestations()]
    blocks = sorted(a.height for a in kinds if isinstance(a, BitcoinBlockHeaderAttestation))
    pending = sorted(a.uri for a in kinds if isinstance(a, PendingAttestation))
    return {"blocks": blocks, "pending": pending, "is_signature_checked": False}, None


def _library(name: str) -> Any:
    import importlib

    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ConfigError("time stamps need more libraries: pip install 'bastau[evidence]'") from error
