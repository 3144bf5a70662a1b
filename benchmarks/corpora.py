"""The texts that the tokenizer benchmarks train and measure on, as (part, document) pairs.

Documents are held out by their own hash, one in ten, so every tokenizer sees the same ones.
"""

import gzip
import hashlib
import json
import sysconfig
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa

from datapipe import find_sources, read_texts
from spiketok.holdout import document_id, is_held_out

SHARED = Path(__file__).parents[2] / "shared/data"
HELD_OUT = 0.1
MAX_BOOK_BYTES = 107_000_000
# Of the manuals and sources of a Debian system, so much of each kind.
SYSTEM_PARTS = {
    "python": (sysconfig.get_path("stdlib"), "*.py", 16_000_000),
    "documents": ("/usr/share/doc", "*", 24_000_000),
    "manuals": ("/usr/share/man", "*.gz", 16_000_000),
    "c headers": ("/usr/include", "*.h*", 16_000_000),
    "perl": ("/usr/share/perl", "*.p*", 12_000_000),
}
DOCUMENT_KINDS = ("", ".gz", ".txt", ".md", ".rst")
Parts = dict[str, list[bytes]]


def english_and_code() -> Iterator[tuple[str, bytes]]:
    """Yield 107 MB of English books and 8 MB of code in eight languages."""
    size = 0
    for text in texts(sorted((SHARED / "books_en").iterdir())):
        size += len(text)
        if size > MAX_BOOK_BYTES:
            break
        yield "books", text
    for text in texts([SHARED / "code/code_sample.jsonl.zst"]):
        yield "code", text


def system_documents() -> Iterator[tuple[str, bytes]]:
    """Yield documents and sources of this system.

    Lines of 40 characters and more only once, of 12 and more up to 200 times: no licence is in
    training and held out alike.
    """
    seen: set[bytes] = set()
    counts: Counter[bytes] = Counter()
    for part, (folder, pattern, limit) in SYSTEM_PARTS.items():
        size = 0
        for text in system_files(Path(folder), pattern):
            kept = []
            for line in text.splitlines(keepends=True):
                key = line.strip()
                counts[key] += len(key) >= 12
                if key in seen or counts[key] > 200:
                    continue
                if len(key) >= 40:
                    seen.add(key)
                kept.append(line)
            if kept:
                yield part, b"".join(kept)
                size += sum(map(len, kept))
            if size > limit:
                break


def system_files(folder: Path, pattern: str) -> Iterator[bytes]:
    """Yield the texts below a folder that are UTF-8 and of a sensible size, in a mixed order."""
    paths = [path for path in folder.rglob(pattern) if path.is_file() and not path.is_symlink()]
    for path in sorted(paths, key=lambda path: hashlib.sha256(bytes(path)).digest()):
        is_text = pattern != "*" or path.suffix in DOCUMENT_KINDS
        if not is_text or "site-packages" in path.parts:
            continue
        text = path.read_bytes()
        try:
            text = gzip.decompress(text) if path.suffix == ".gz" else text
            text.decode()
        except (UnicodeDecodeError, OSError):
            continue
        if 200 <= len(text) <= 1_000_000:
            yield text


def many_languages() -> Iterator[tuple[str, bytes]]:
    """Yield sentences in 112 languages, declarations in 532 and code in eight, by language."""
    for row in rows(SHARED / "multilingual/tatoeba_v1_112langs.jsonl.gz"):
        yield row["lang"], row["text"].encode()
    for text in texts([SHARED / "multilingual/udhr.jsonl.gz"]):
        yield "declarations", text
    for row in rows(SHARED / "code/code_sample.jsonl.zst"):
        yield f"code: {row['lang']}", row["text"].encode()


def rows(path: Path) -> Iterator[dict[str, str]]:
    """Yield the objects of a compressed jsonl file."""
    with pa.input_stream(path, compression="detect") as file:
        yield from map(json.loads, file.read().splitlines())


def texts(paths: list[Path]) -> Iterator[bytes]:
    """Yield the documents of files that `spike shard` reads."""
    for batch in read_texts(find_sources(paths)[0]):
        yield from batch.column("text").to_pylist()


def split(documents: Iterable[tuple[str, bytes]]) -> tuple[list[bytes], Parts]:
    """Return what to train on, and what is held out, by part."""
    train: list[bytes] = []
    held_out: Parts = {}
    for part, text in documents:
        if is_held_out(document_id(text), HELD_OUT):
            held_out.setdefault(part, []).append(text)
        else:
            train.append(text)
    return train, held_out


CORPORA = {
    "english": english_and_code,
    "system": system_documents,
    "languages": many_languages,
}
