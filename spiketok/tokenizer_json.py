"""tokenizer.json (docs/formats.md §1): parse the file and validate all of it."""

import json
import os
import re
from collections import Counter
from pathlib import Path
from typing import Any, NoReturn

from .errors import SpikeError, parse_fault
from .id_layout import (
    FIRST_BYTE_ID,
    FIRST_ENTRIES,
    FIRST_NAMES,
    FIRST_PIECE_ID,
    LAYOUTS,
    MAX_IDS,
    MAX_TOKEN_BYTES,
    PIECE,
    RESERVED,
    SPECIAL,
)
from .json_values import check_structure, raise_no_json, shown

FORMAT = 1
LENGTH_MAX, BESE = "length-max", "bese"
MAX_FILE_BYTES = 1 << 30
VOCAB_SIZE = re.compile(rb'"vocab_size"\s*:\s*(\d{1,18})')
# An entry and a frequency, or a merge of two ids; settings, names of inputs.
VALUES_PER_ID, VALUES_BESIDE = 3, 1 << 18
FIX = "restore it from a copy, or download it again"


def read_fields(path: Path, content: dict[str, Any]) -> dict[str, Any]:
    """Check the content of a file; return the fields of its `Vocabulary`.

    Raises:
        SpikeError: it is malformed.
    """
    entries = read_entries(path, content)
    about = read_spike(path, content)
    names = read_names(path, content, entries)
    if about is None:
        reserved = set(range(min(names.values()), len(entries))) if names else set()
        reserved -= set(names.values())
    else:
        reserved = read_reserved(path, about, len(entries))
    kinds = bytearray([PIECE]) * len(entries)
    for token in reserved:
        kinds[token] = RESERVED
    for token in (*range(len(FIRST_NAMES)), *names.values()):
        if kinds[token] == RESERVED or FIRST_BYTE_ID <= token < FIRST_PIECE_ID:
            refuse(path, f"special_tokens, id {token}", "is special, and also a byte or reserved")
        kinds[token] = SPECIAL
    if RESERVED in kinds[:FIRST_PIECE_ID]:
        refuse(path, "spike.reserved", "names one of the first 260 ids")
    return {
        "entries": tuple(
            b"" if kind == RESERVED else entry for kind, entry in zip(kinds, entries, strict=True)
        ),
        "kinds": bytes(kinds),
        "algorithm": LENGTH_MAX,
        "max_token_bytes": read_longest(path, content, entries, kinds),
        **read_about(path, about, has_block=bool(names)),
        "frequencies": read_frequencies(path, about, len(entries)),
    }


def parse(path: Path, data: bytes, *algorithms: str, most_ids: int = MAX_IDS) -> dict[str, Any]:
    """Parse a tokenizer file: one JSON object without repeated keys, of one of the algorithms.

    Args:
        path: the file's name in messages.
        data: its content.
        algorithms: names of the accepted ones.
        most_ids: size of the largest vocabulary accepted, which also limits the values decoded.

    Raises:
        SpikeError: it is not such an object, or holds more values than its vocabulary needs.
    """
    if len(data) > MAX_FILE_BYTES:
        refuse(path, "the file", "is larger than 1 GiB")
    try:
        size = max(map(int, VOCAB_SIZE.findall(data)), default=0)
        if size > most_ids:
            refuse(path, "vocab_size", f"is more than {most_ids}")
        check_structure(data, VALUES_PER_ID * size + VALUES_BESIDE)
        content = json.loads(
            data.decode(),
            object_pairs_hook=object_without_doubles,
            parse_constant=raise_no_json,
        )
    except (ValueError, RecursionError) as error:
        if b'"added_tokens"' in data and "more than" in str(error):  # Hugging Face's, a large one
            raise_other_kind(path, {"model": {}}, algorithms)
        refuse(path, "the file", f"cannot be read ({parse_fault(error)})")
    if not isinstance(content, dict):
        refuse(path, "the file", "is not a JSON object")
    if content.get("algorithm") not in algorithms:
        raise_other_kind(path, content, algorithms)
    return content


def raise_other_kind(path: Path, content: dict[str, Any], algorithms: tuple[str, ...]) -> NoReturn:
    """Raise the error of a file that is another kind of tokenizer, or none."""
    algorithm = content.get("algorithm")
    if isinstance(content.get("model"), dict):
        raise SpikeError(
            f"{path}: is a Hugging Face tokenizer; name one of spike (only spike tokenizer compare "
            "and view read both)"
        )
    if algorithm is None:
        raise SpikeError(
            f"{path}: is not a tokenizer of spike (it has no algorithm); name a file that spike "
            "tokenizer train wrote"
        )
    raise SpikeError(
        f"{path}: is a tokenizer of algorithm {shown(algorithm)}; name one of "
        f"{' or '.join(algorithms)}"
    )


def read_spike(path: Path, content: dict[str, Any]) -> dict[str, Any] | None:
    """Return the object `spike`, of a known format; None in a published file."""
    if "spike" not in content:
        return None
    about = content["spike"]
    if not isinstance(about, dict):
        refuse(path, "spike", "is not an object")
    if about.get("format") != FORMAT:
        refuse(path, "spike.format", f"is not {FORMAT}", "read it with a newer spike")
    return about


def object_without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Build a JSON object.

    Raises:
        ValueError: a key is repeated.
    """
    members = dict(pairs)
    if len(members) < len(pairs):
        counts = Counter(key for key, _ in pairs)
        raise ValueError(f"key {shown(counts.most_common(1)[0][0])} occurs twice")
    return members


def read_entries(path: Path, content: dict[str, Any]) -> list[bytes]:
    """Convert `vocab` to a list by id."""
    vocab, size = content.get("vocab"), content.get("vocab_size")
    if not isinstance(vocab, dict):
        refuse(path, "vocab", "is not an object")
    if type(size) is not int or size != len(vocab):
        refuse(path, "vocab_size", f"is {shown(size)}, but vocab has {len(vocab)} entries")
    if not FIRST_PIECE_ID <= size <= MAX_IDS:
        refuse(path, "vocab_size", f"is not between {FIRST_PIECE_ID} and {MAX_IDS}")
    entries: list[bytes | None] = [None] * size
    for key, token in vocab.items():
        if type(token) is not int or not 0 <= token < size:
            refuse(path, f"vocab, key {shown(key)}", f"has no id below {size}")
        if entries[token] is not None:
            refuse(path, f"vocab, key {shown(key)}", f"has id {token} like another key")
        try:
            entries[token] = key.encode("latin-1")
        except UnicodeEncodeError:
            refuse(path, f"vocab, key {shown(key)}", "has characters beyond 255")
        if not key:
            refuse(path, f"vocab, id {token}", "has an empty key")
    full = [entry for entry in entries if entry is not None]
    for token, (entry, expected) in enumerate(zip(full, FIRST_ENTRIES, strict=False)):
        if entry != expected:
            refuse(path, f"vocab, id {token}", f"is {shown(entry)}, not {shown(expected)}")
    return full


def read_names(path: Path, content: dict[str, Any], entries: list[bytes]) -> dict[str, int]:
    """Return name → id of the special tokens beyond the first four."""
    names = content.get("special_tokens")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        refuse(path, "special_tokens", "is not a list of names")
    ids = {entry: token for token, entry in enumerate(entries)}
    special: dict[str, int] = {}
    for name in names:
        try:
            token = ids.get(name.encode())
        except UnicodeEncodeError:  # a lone surrogate
            token = None
        if token is None or token < len(FIRST_NAMES) or name in special:
            refuse(path, f"special_tokens, name {shown(name)}", "has no entry of its own in vocab")
        special[name] = token
    if list(special.values()) != sorted(special.values()):
        refuse(path, "special_tokens", "is not in the order of the ids")
    return special


def read_reserved(path: Path, about: dict[str, Any], size: int) -> set[int]:
    """Return the ids that `spike.reserved` lists as ranges."""
    reserved: set[int] = set()
    listed = about.get("reserved")
    if not isinstance(listed, list):
        refuse(path, "spike.reserved", "is not a list of ranges")
    stop = 0
    for item in listed:
        if not (
            isinstance(item, list)
            and len(item) == 2
            and all(type(bound) is int for bound in item)
            and stop <= item[0] < item[1] <= size
        ):
            refuse(path, "spike.reserved", f"has {shown(item)}, which is not a rising range of ids")
        stop = item[1]
        reserved.update(range(*item))
    return reserved


def read_longest(
    path: Path, content: dict[str, Any], entries: list[bytes], kinds: bytearray
) -> int:
    """Return `max_token_len`, checked against the pieces.

    Args:
        path: the file's name in messages.
        content: of the file.
        entries: bytes by id.
        kinds: for each id `PIECE`, `SPECIAL` or `RESERVED`.
    """
    longest = content.get("max_token_len")
    if type(longest) is not int or not 1 <= longest <= MAX_TOKEN_BYTES:
        refuse(path, "max_token_len", f"is not between 1 and {MAX_TOKEN_BYTES}")
    for token in [token for token, entry in enumerate(entries) if len(entry) > longest]:
        if kinds[token] == PIECE:
            size = len(entries[token])
            refuse(path, f"vocab, id {token}", f"has {size} bytes, max_token_len {longest}")
    return longest


def read_about(path: Path, about: dict[str, Any] | None, has_block: bool) -> dict[str, Any]:
    """Return the fields that have no effect on encoding and decoding."""
    if about is None:
        return {"layout": "chatml" if has_block else "minimal"}
    layout = about.get("layout")
    if layout not in tuple(LAYOUTS):
        refuse(path, "spike.layout", f"is not one of {', '.join(LAYOUTS)}")
    return {"layout": layout, **read_origin(path, about)}


def read_origin(path: Path, about: dict[str, Any]) -> dict[str, Any]:
    """Return the origin of a vocabulary: settings, training, inputs."""
    inputs = about.get("inputs")
    for key in ("settings", "training"):
        if not isinstance(about.get(key), dict):
            refuse(path, f"spike.{key}", "is not an object")
    if not isinstance(inputs, list) or not all(isinstance(name, str) for name in inputs):
        refuse(path, "spike.inputs", "is not a list of paths")
    try:
        origin = [about["settings"], about["training"], inputs]
        json.dumps(origin, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError:
        refuse(path, "spike", "has text with lone surrogates")
    except ValueError:  # 1e999 is read as infinity
        refuse(path, "spike", "has a number that is too large")
    folder = path.absolute().parent
    return {
        "settings": about["settings"],
        "training": about["training"],
        "inputs": tuple(Path(os.path.normpath(folder / name)) for name in inputs),
    }


def read_frequencies(path: Path, about: dict[str, Any] | None, size: int) -> tuple[int, ...]:
    """Return uses by id, or nothing where the file has none."""
    listed = [] if about is None else about.get("frequencies", [])
    if not isinstance(listed, list) or not all(type(use) is int and use >= 0 for use in listed):
        refuse(path, "spike.frequencies", "is not a list of numbers")
    if len(listed) not in (0, size):
        refuse(path, "spike.frequencies", f"has {len(listed)} numbers, not {size}")
    return tuple(listed)


def refuse(path: Path, place: str, fault: str, fix: str = FIX) -> NoReturn:
    """Raise the error of a malformed file.

    Args:
        path: the file.
        place: the place in it.
        fault: what is wrong there, as the predicate of a sentence about the place.
        fix: imperative that fixes it.
    """
    raise SpikeError(f"{path}: {place} {fault}; {fix}")
