"""Paired bits per byte of two models on the documents of a text."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datapipe.sources.text_splitting import Buffer, check_split, text_pieces
from spike_lm.model.artifact.open import open_run
from spike_lm.model.device import choose_device
from spike_lm.model.evaluation.paired import paired_bootstrap
from spike_lm.model.scoring.bits_per_byte import nats_to_bits, score_documents
from spike_lm.model.scoring.sliding_windows import default_windows
from spiketok.errors import SpikeError

from ..callbacks import SILENT, Callbacks
from ..data.documents import read_documents
from .run_comparison import as_members


def compare_on_text(
    runs: Sequence[Path],
    texts: Sequence[Path],
    split_text: str = "auto",
    device: str = "auto",
    show: Callbacks = SILENT,
) -> dict[str, Any]:
    """Return the bits per byte of two runs on each document, and their paired difference.

    The tokenizers of the runs may differ: the bytes of a document are the same.

    Args:
        runs: two run folders or artifacts.
        texts: files, folders and patterns.
        split_text: how a long text becomes documents, as in `spike shard`.
        device: auto, cpu or cuda.
        show: callbacks for progress and remarks.

    Raises:
        SpikeError: a text or a run cannot be read, or a run's tokenizer loses text.
    """
    check_split(split_text)
    documents = [
        bytes(piece)
        for document in read_documents(texts, show)
        for _, piece in text_pieces(Buffer(BytesIO(document.text).read), split_text)
        if piece
    ]
    if not documents:
        raise SpikeError(f"{texts[0]}: there is no text to score; name a file with text")
    sizes = np.array([len(document) for document in documents], np.float64)
    bits = [document_bits(run, documents, device, show) for run in runs]
    found = paired_bootstrap(bits[0], bits[1], sizes)
    return {
        "texts": [str(text) for text in texts],
        "bytes": int(sizes.sum()),
        **as_members(found),
        "documents": [
            {"bytes": len(document), "bits": [float(bits[0][place]), float(bits[1][place])]}
            for place, document in enumerate(documents)
        ],
    }


def document_bits(
    run: Path, documents: Sequence[bytes], device: str, show: Callbacks
) -> NDArray[np.float64]:
    """Return the bits of each document [n] under a model.

    Args:
        run: a run folder or an artifact.
        documents: bytes of each.
        device: auto, cpu or cuda.
        show: callbacks for progress.

    Raises:
        SpikeError: the model cannot be opened, or its tokenizer loses text.
    """
    loaded = open_run(run, choose_device(device))
    if loaded.tokenizer.score_name != "bits_per_byte":
        raise SpikeError(f"{run}: its tokenizer loses text; compare runs with a lossless one")
    encoded = [(loaded.tokenizer.encode(text), len(text)) for text in documents]
    total = sum(len(ids) + 1 for ids, _ in encoded)
    windows = default_windows(loaded.model, 0, 0)
    with show.progress("score", total, "tokens") as report:
        score = score_documents(
            loaded.model,
            encoded,
            windows,
            eos_id=loaded.tokenizer.eos_id,
            report=lambda scored: report(scored, str(run)),
        )
    return np.array([nats_to_bits(nats) for nats in score.document_nats], np.float64)
