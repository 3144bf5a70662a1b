"""What each part on a network is worth, on three texts, each proved by coding, beside compressors.

    spike tokenizer train TRAINING --vocab 4096 --special-tokens minimal --validation 0 --out T.json
    spike shard TRAINING --tokenizer T.json --validation 0 --out SHARDS
    spike train --config base --set data.path=SHARDS --set schedule.seconds=600 … --out RUN
    python benchmarks/scoring.py RUN SHARDS TRAINING [--ttt chunk=8192,epochs=1] [--texts books]

TRAINING is the folder of books that `context_counts.py T.json --write-training` writes, 40,000,000
bytes; the network, the counts and the compressors that can are given the same. Texts are the eight
held-out books of the quality baseline, WikiText-2's test text and Tiny Shakespeare, each a document
(the books eight). A table has the whole text's bits per byte and the time on one thread; `proved`
are the bytes that the beginning of the text (`--prove-bytes`, a document) takes when it is coded
with that row and decoded again; all rows of a network are coded side by side.

Needed besides: xz, zstd, brotli, bzip2, 7z (Debian: xz-utils zstd brotli bzip2 p7zip-full); what is
not there is left out and named. Primed is a compressor that was given the training text first: zstd
as `--patch-from`, PPMd as the difference of two archives.
"""

import argparse
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from context_counts import held_out_books, training_books
from corpora import SHARED

from datapipe import open_stream
from spike_lm.model.artifact.open import open_run
from spike_lm.model.config.mixing import PredictorSettings, settings_of
from spike_lm.model.config.ttt import parse_ttt
from spike_lm.model.runs.folder import Run
from spike_lm.model.scoring.bits_per_byte import bits_per_byte, nats_to_bits
from spike_lm.model.scoring.context_mixing.ngram_model import NgramModel
from spike_lm.model.scoring.predictor_score import PredictorScore, score_with
from spike_lm.model.scoring.predictor_spec import PredictorSpec
from spike_lm.model.scoring.sliding_windows import default_windows
from spike_lm.model.text_compression.verify import coded_sizes

# Chosen on texts that are none of these (docs/lab-notes.md).
TTT = "chunk=8192,epochs=1,rate=0.001,decay=none,polyak=0,batch=8"
TEXTS = ("books", "wikitext", "shakespeare")
COMPRESSORS = {
    "xz -9": "xz -9 --stdout {text}",
    "bzip2 -9": "bzip2 -9 --stdout {text}",
    "brotli -q 11": "brotli -q 11 --lgwin=24 --stdout {text}",
    "zstd -19 --ultra": "zstd -q --ultra -19 --stdout {text}",
    "zstd -19, primed": "zstd -q --ultra -19 --long=27 --patch-from={training} --stdout {text}",
}
PPMD = "7z a -bso0 -bsp0 -t7z -m0=PPMd:o=8:mem=1g {out} {text}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="what parts on a network are worth")
    parser.add_argument("run", type=Path)
    parser.add_argument("shards", type=Path)
    parser.add_argument("training", type=Path)
    parser.add_argument("--texts", nargs="+", choices=TEXTS, default=TEXTS)
    parser.add_argument("--prove-bytes", type=int, default=100_000)
    parser.add_argument("--ttt", default=TTT, help="settings of the row ttt")
    parser.add_argument("--json", type=Path, help="also write all numbers here")
    options = parser.parse_args()
    torch.set_num_threads(1)
    run = open_run(options.run)
    begun = time.monotonic()
    counts = counts_of(run, options.shards)
    print(f"counts of {options.shards}: {time.monotonic() - begun:.0f} s")
    found: dict[str, Any] = {}
    for name in options.texts:
        documents = texts_of(name)
        size = sum(map(len, documents))
        print(f"\n## {name}: {size:,} bytes, {len(documents)} documents", flush=True)
        rows = found[name] = {"bytes": size, "rows": {}, "compressors": {}}
        for row, values in stack_rows(run, counts, documents, options):
            rows["rows"][row] = values
            show(row, values)
        for row, coded in compressor_rows(b"".join(documents), options.training):
            rows["compressors"][row] = coded
            rate = "not installed" if coded is None else f"{8 * coded / size:.4f}"
            print(f"| {row} | {rate} | | |", flush=True)
        if options.json:
            options.json.write_text(json.dumps(found, indent=1))
    print(f"\n{time.monotonic() - begun:.0f} s in all")


def show(row: str, values: dict[str, Any]) -> None:
    """Print a row of the table."""
    print(
        f"| {row} | {values['bits_per_byte']:.4f} | {values['microseconds_per_token']:.1f} | "
        f"{values['proved_bytes']:,} of {values['proved_text']:,} |",
        flush=True,
    )


def texts_of(name: str) -> list[bytes]:
    """Return the documents of a text."""
    if name == "books":
        return held_out_books("books-03.jsonl.zst", training_books()[1], 8)
    path = {"wikitext": "wikitext2/wiki.test.raw", "shakespeare": "tinyshakespeare/input.txt"}
    return [(SHARED / path[name]).read_bytes()]


def counts_of(run: Run, shards: Path) -> NgramModel:
    """Return counts of the training split."""
    stream = open_stream(shards, "train")
    if stream.made_by.fingerprint != run.tokenizer.fingerprint:
        raise SystemExit("these shards are of another tokenizer than the run")
    counts = NgramModel(run.tokenizer.vocab_size, max_context=PredictorSettings().lengths[-1])
    counts.learn(stream.read(np.array([0]), stream.tokens)[0])
    return counts


def stack_rows(
    run: Run, counts: NgramModel, documents: list[bytes], options: argparse.Namespace
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the rows of the network with all parts, of it while it learns, of counts alone."""
    known = {"counts": counts, "counts_from": "training"}
    network = PredictorSpec(settings=settings_of(["all"]), **known)
    yield from rows_of(run, network, documents, options.prove_bytes, "")
    taught = replace(network, ttt=parse_ttt(options.ttt))
    *_, last = rows_of(run, taught, documents, options.prove_bytes, "")
    yield f"ttt ({options.ttt})", last[1]
    alone = PredictorSpec(settings=settings_of(["all"], network=False), **known)
    yield from rows_of(run, alone, documents, options.prove_bytes, "without network: ")


def rows_of(
    run: Run, spec: PredictorSpec, documents: list[bytes], prove_bytes: int, prefix: str
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Score the documents, and prove the beginning of the text; yield a row for each part."""
    whole, beginning = scored(run, spec, documents), beginning_of(documents, prove_bytes)
    part = scored(run, spec, [beginning])
    sizes = coded_sizes(run, [beginning], default_windows(run.model), spec)
    seconds = 0.0
    for name, stage in whole.stages.items():
        seconds += stage.seconds
        expected = nats_to_bits(part.stages[name].nats - part.stages[name].nats_separators)
        if abs(8 * sizes[name] - expected) > 0.001 * expected + 64 * 8:
            raise SystemExit(
                f"{name}: the score says {expected:.0f} bits, coding {8 * sizes[name]}"
            )
        yield (
            prefix + name,
            {
                "bits_per_byte": bits_per_byte(stage.nats, whole.bytes),
                "microseconds_per_token": 1e6 * seconds / whole.tokens,
                "tokens": whole.tokens,
                "proved_bytes": sizes[name],
                "proved_text": len(beginning),
                "random_bits": stage.random_bits,
            },
        )


def scored(run: Run, spec: PredictorSpec, documents: list[bytes]) -> PredictorScore:
    """Score documents as `spike eval` does; what is no score stops it."""
    tokenizer, windows = run.tokenizer, default_windows(run.model)
    pairs = [(tokenizer.encode(text), len(text)) for text in documents]
    with spec.ttt_learner(run, sum(len(ids) + 1 for ids, _ in pairs), windows.context) as learner:
        return score_with(
            spec.build(tokenizer.vocab_size, tokenizer.eos_id),
            run.model if spec.settings.network else None,
            pairs,
            windows,
            eos_id=tokenizer.eos_id,
            learner=learner,
        )


def beginning_of(documents: list[bytes], size: int) -> bytes:
    """Return the beginning of the first document, up to a whole character."""
    return documents[0][:size].decode(errors="ignore").encode()


def compressor_rows(text: bytes, training: Path) -> Iterator[tuple[str, int | None]]:
    """Yield what compressors make of a text, in bytes; None where one is not installed."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        learned = b"".join(path.read_bytes() for path in sorted(training.iterdir()))
        (place / "text").write_bytes(text)
        (place / "training").write_bytes(learned)
        (place / "both").write_bytes(learned + text)
        for name, command in COMPRESSORS.items():
            words = command.format(text=place / "text", training=place / "training").split()
            yield name, len(output(words)) if shutil.which(words[0]) else None
        if not shutil.which("7z"):
            yield "7z PPMd order 8", None
            return
        yield "7z PPMd order 8", archive(place, "text")
        yield "7z PPMd order 8, primed", archive(place, "both") - archive(place, "training")


def archive(place: Path, name: str) -> int:
    """Return the bytes of a PPMd archive of a file."""
    out = place / f"{name}.7z"
    output(PPMD.format(out=out, text=place / name).split())
    return out.stat().st_size


def output(words: list[str]) -> bytes:
    """Return what a command writes."""
    done = subprocess.run(words, capture_output=True, check=False)
    if done.returncode:
        raise SystemExit(f"{words[0]} failed: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


if __name__ == "__main__":
    main()
