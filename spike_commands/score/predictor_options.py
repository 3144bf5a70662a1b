"""Predictor options: choose the parts of a predictor, and build it from a run."""

from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from spiketok.errors import SpikeError

from ..console import PATH, Command, progress_bar
from ..data.same_tokenizer import check_tokenizer

if TYPE_CHECKING:
    from spike_lm.model.config.mixing import PredictorSettings
    from spike_lm.model.config.ttt import TTTConfig
    from spike_lm.model.runs.folder import Run
    from spike_lm.model.scoring.context_mixing.ngram_model import NgramModel
    from spike_lm.model.scoring.predictor_spec import PredictorSpec

# Tokens learned between two reports.
SLICE = 1 << 18

counts_option = click.option(
    "--counts",
    "counts_folder",
    type=PATH,
    metavar="SHARDS",
    help="ngram: begin with the counts of these shards' training split; else with those in the "
    "artifact, or with none.",
)

ttt_option = click.option(
    "--ttt",
    metavar="SETTINGS",
    help="Let the network learn from each chunk once it is scored; as default, or "
    "chunk=8192,rank=8.",
)


def predictor_options(command: Command) -> Command:
    """Add `--with`, `--without-network` and `--counts`."""
    parts = click.option(
        "--with",
        "parts",
        metavar="PART,…",
        help="Parts on the network: temperature, calibration, ngram, match, mixture, or all.",
    )
    alone = click.option(
        "--without-network", is_flag=True, help="Let the parts predict alone, all if none is named."
    )
    return parts(alone(counts_option(command)))


def chosen_settings(parts: str | None, without_network: bool) -> "PredictorSettings | None":
    """Return the settings of the options, None for the network by itself."""
    from spike_lm.model.config.mixing import settings_of

    if parts is None and not without_network:
        return None
    wanted = ["all"] if parts is None else parts.split(",")
    try:
        return settings_of(wanted, network=not without_network)
    except ValueError as error:
        raise click.UsageError(f"--with: {error}") from None


def check_predictor(
    parts: str | None,
    without_network: bool,
    counts_folder: Path | None,
    ttt: str | None,
    *,
    compiled: bool = False,
) -> None:
    """Check that counts have a part to use, and that a network to teach or compile is a part."""
    if without_network and compiled:
        raise click.UsageError("--compile is for the network; leave out --without-network")
    if counts_folder and parts is None and not without_network:
        raise click.UsageError("--counts goes with --with ngram")
    if without_network and ttt is not None:
        raise click.UsageError("--ttt teaches the network; it does not go with --without-network")


def ttt_config(ttt: str | None) -> "TTTConfig | None":
    """Return the test-time training configuration of --ttt."""
    from spike_lm.model.config.ttt import parse_ttt

    try:
        return None if ttt is None else parse_ttt("" if ttt == "default" else ttt)
    except SpikeError as error:
        raise click.UsageError(f"--ttt: {error}") from None


def begin(
    run: "Run",
    settings: "PredictorSettings",
    counts_folder: Path | None,
    quiet: bool,
    ttt: "TTTConfig | None" = None,
) -> "PredictorSpec":
    """Return a predictor's start, with its initial counts."""
    from spike_lm.model.scoring.context_mixing.ngram_model import NgramModel
    from spike_lm.model.scoring.context_mixing.ngram_table import counts_from_bytes
    from spike_lm.model.scoring.predictor_spec import COUNTS, PredictorSpec

    longest = settings.lengths[-1]
    table = run.tables.get(COUNTS)
    known: dict[str, Any] = {}
    if counts_folder is not None:
        if not settings.has("ngram"):
            raise click.UsageError("--counts goes with --with ngram")
        counts, fingerprint = learned_counts(run, counts_folder, longest, quiet)
        known = {"counts": counts, "counts_from": f"shards {fingerprint}"}
    elif table is not None and settings.has("ngram"):
        size = run.tokenizer.vocab_size
        try:
            known["counts"] = NgramModel(size, longest=longest, static=counts_from_bytes(table))
        except ValueError as error:
            raise SpikeError(f"the artifact's table of counts is damaged: {error}") from None
        known["counts_from"] = f"table {sha256(table).hexdigest()}"
    return PredictorSpec(settings=settings, ttt=ttt, **known)


def learned_counts(run: "Run", folder: Path, longest: int, quiet: bool) -> "tuple[NgramModel, str]":
    """Count the training split of shards; return the counts and the shards' fingerprint."""
    import numpy as np

    from datapipe import open_stream
    from spike_lm.model.scoring.context_mixing.ngram_model import NgramModel

    stream = open_stream(folder, "train")
    check_tokenizer(folder, stream.made_by.fingerprint, run)
    counts = NgramModel(run.tokenizer.vocab_size, longest=longest)
    counts.reserve(stream.tokens)
    with progress_bar("count", max(1, stream.tokens), "tokens", quiet) as report:
        for first in range(0, stream.tokens, SLICE):
            size = min(SLICE, stream.tokens - first)
            counts.learn(stream.read(np.array([first]), size)[0])
            report(first + size, "")
    return counts, stream.fingerprint
