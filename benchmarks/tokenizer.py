"""Compares trainers of vocabularies of one size: tokens of held-out text, time and memory.

    python benchmarks/tokenizer.py [--corpus english|system|languages] [--json]

All rows come from one run: the same documents to train on, the same ones held out by their hash,
as many text entries for each, one trainer at a time in a process of its own. Percentages are
against Hugging Face's byte-level BPE with the GPT-4 split.
"""

import argparse
import importlib.metadata
import json
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import tokenizers
from corpora import CORPORA, Parts, split
from trainers import BPE, SETTINGS, kept_file, train

import spiketok

ENTRIES = 16_512
BATCH_DOCUMENTS = 256
# More parts than this are shown one a line, for the first and the default tokenizer only.
MAX_COLUMNS = 8


def main() -> None:
    """Train, count and print one table."""
    parser = argparse.ArgumentParser(description="tokens, time and memory beside peers")
    parser.add_argument("--corpus", choices=CORPORA, default="english")
    parser.add_argument("--only", nargs="*", choices=[BPE, *SETTINGS], help="rows to train")
    parser.add_argument("--keep", type=Path, help="folder for the tokenizers, for encoder.py")
    parser.add_argument("--json", action="store_true", dest="as_json")
    options = parser.parse_args()
    texts, held_out = split(CORPORA[options.corpus]())
    size = sum(map(len, texts))
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        folder.mkdir(exist_ok=True)
        corpus = Path(temporary) / "corpus.arrow"
        write(texts, corpus)
        del texts
        rows = []
        for name in options.only or [BPE, *SETTINGS]:
            out = kept_file(folder, options.corpus, name)
            cost = train(name, corpus, ENTRIES, out)
            tokens = count(name, out, held_out)
            rows.append({"name": name, "file": out.name, **cost, "tokens": tokens})
    report = {
        "corpus": options.corpus,
        "train_bytes": size,
        "held_out_bytes": {part: sum(map(len, found)) for part, found in held_out.items()},
        "documents": {part: len(found) for part, found in held_out.items()},
        "entries": ENTRIES,
        "tokenizers": importlib.metadata.version("tokenizers"),
        "rows": rows,
    }
    print(json.dumps(report, indent=2) if options.as_json else table(report))


def write(texts: list[bytes], path: Path) -> None:
    """Write an Arrow stream with the column `text`."""
    schema = pa.schema({"text": pa.large_binary()})
    with pa.ipc.new_stream(path, schema) as writer:
        for start in range(0, len(texts), BATCH_DOCUMENTS):
            rows = pa.array(texts[start : start + BATCH_DOCUMENTS], pa.large_binary())
            writer.write_batch(pa.record_batch([rows], schema))


def count(name: str, file: Path, held_out: Parts) -> dict[str, int]:
    """Return the tokens of each part."""
    if name != BPE:
        ours = spiketok.Tokenizer.load(file)
        return {part: len(ours.encode_batch(texts)[0]) for part, texts in held_out.items()}
    theirs = tokenizers.Tokenizer.from_file(str(file))
    return {
        part: sum(map(len, theirs.encode_batch_fast([text.decode() for text in texts])))
        for part, texts in held_out.items()
    }


def table(report: dict[str, Any]) -> str:
    """Lay the report out for people."""
    sizes: dict[str, int] = report["held_out_bytes"]
    rows: list[dict[str, Any]] = report["rows"]
    first = rows[0]["tokens"]
    parts = list(sizes) if len(sizes) <= MAX_COLUMNS else []
    lines = [
        f"{report['train_bytes'] / 1e6:.1f} MB to train on, {sum(sizes.values()) / 1e6:.2f} MB "
        f"held out, {report['entries']:,} text entries, tokenizers {report['tokenizers']}",
        f"{'':34}{'s':>7}{'CPU s':>7}{'MiB':>7}{'B/token':>9}{'all':>8}"
        + "".join(f"{part:>11}" for part in parts),
    ]
    for row in rows:
        tokens = row["tokens"]
        total = sum(tokens.values())
        lines.append(
            f"{row['name']:34}{row['seconds']:>7.1f}{row['cpu_seconds']:>7.1f}"
            f"{row['peak_mib']:>7.0f}{sum(sizes.values()) / total:>9.4f}"
            f"{total / sum(first.values()) - 1:>+8.1%}"
            + "".join(f"{tokens[part] / first[part] - 1:>+11.1%}" for part in parts)
        )
    return "\n".join(lines if parts else [*lines, *by_part(report)])


def by_part(report: dict[str, Any]) -> list[str]:
    """Return a line for each part, the dearest first, with the tokens against the first row's."""
    rows, sizes = report["rows"], report["held_out_bytes"]
    first, last = rows[0]["tokens"], rows[-1]["tokens"]
    names = ", ".join(row["name"] for row in rows[1:])
    lines = [f"{'part':14}{'documents':>10}{'bytes':>9}{'B/token':>9}  {names}"]
    for part in sorted(sizes, key=lambda part: -last[part] / first[part]):
        others = "".join(f"{row['tokens'][part] / first[part] - 1:>+9.1%}" for row in rows[1:])
        lines.append(
            f"{part:14}{report['documents'][part]:>10,}{sizes[part]:>9,}"
            f"{sizes[part] / first[part]:>9.3f}{others}"
        )
    return lines


if __name__ == "__main__":
    main()
