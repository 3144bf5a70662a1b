"""Trains one tokenizer in a process of its own, and says what that took."""

import multiprocessing
import re
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

# The spelling that Llama 3 uses: gigatoken has fast code for known patterns only.
GPT4_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
BPE = "HF BPE, GPT-4 split"
SETTINGS: dict[str, dict[str, Any]] = {
    "spike frequency (free BPE)": {"objective": "frequency"},
    "spike freq-length (the paper's)": {"objective": "freq-length"},
    "spike two-stage 0.5": {"two_stage": 0.5},
    "spike boundary word": {"boundary": "word"},
    "spike boundary line": {"boundary": "line"},
    "spike effort fast": {"effort": "fast"},
    "spike": {},
    "spike effort max": {"effort": "max"},
}


@dataclass(frozen=True)
class Cost:
    """What a training took.

    Attributes:
        seconds: wall time, with reading the corpus.
        cpu_seconds: of all threads.
        peak_mib: resident memory at its peak, above the interpreter with its libraries loaded.
    """

    seconds: float
    cpu_seconds: float
    peak_mib: float


def kept_file(folder: Path, corpus: str, name: str) -> Path:
    """Return where the named tokenizer of a corpus lies.

    >>> kept_file(Path("."), "english", "spike effort max").name
    'english-spike-effort-max.json'
    """
    return folder / f"{corpus}-{'-'.join(re.findall(r'[A-Za-z0-9]+', name))}.json"


def train(name: str, corpus: Path, vocab: int, out: Path) -> dict[str, Any]:
    """Train the named tokenizer with `vocab` text entries on the Arrow file `corpus`."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as process:
        return asdict(process.submit(train_here, name, corpus, vocab, out).result())


def train_here(name: str, corpus: Path, vocab: int, out: Path) -> Cost:
    """Train in this process, which has done nothing else yet."""
    import tokenizers  # noqa: F401

    from spiketok import LengthMaxSettings, train_length_max

    memory = peak_mib()
    start, cpu_start = time.perf_counter(), time.process_time()
    if name == BPE:
        train_bpe(corpus, vocab).save(str(out))
    else:
        settings = LengthMaxSettings(
            vocab_size=vocab + 4, layout="minimal", held_out=0.0, **SETTINGS[name]
        )
        train_length_max(lambda: batches(corpus), settings).write(out)
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu_start
    return Cost(seconds, cpu_seconds, peak_mib() - memory)


def peak_mib() -> float:
    """Return this process's largest resident memory so far."""
    # getrusage would tell that of the process it came from, where that is larger.
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def batches(corpus: Path) -> Iterator[pa.RecordBatch]:
    """Read the corpus as it is needed."""
    with pa.ipc.open_stream(corpus) as reader:
        yield from reader


def train_bpe(corpus: Path, vocab: int) -> Any:
    """Train a byte-level BPE of `vocab` entries with the GPT-4 split."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(GPT4_SPLIT), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    bpe.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=vocab, initial_alphabet=alphabet, show_progress=False)
    texts = (text.decode() for batch in batches(corpus) for text in batch.column(0).to_pylist())
    bpe.train_from_iterator(texts, trainer)
    return bpe
