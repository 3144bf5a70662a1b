"""Verification of a predictor's score: codes texts and decodes them, with all stages in parallel.

The network reads each text once for coding and once for decoding, whatever the number of stages.
Each stage has its own coder, and decoding continues only while all decode the same token.
"""

from collections.abc import Callable, Sequence

from spiketok.errors import SpikeError

from ..runs.folder import Run
from ..scoring.predictor_spec import PredictorSpec
from ..scoring.sliding_windows import WindowConfig, check_windows
from .compressed_file import check_lossless
from .token_coder import decode_tokens, encode_tokens


def coded_sizes(
    run: Run,
    texts: Sequence[bytes],
    windows: WindowConfig,
    spec: PredictorSpec | None = None,
    *,
    report: Callable[[int], None] = lambda _: None,
) -> dict[str, int]:
    """Return by stage the coded size of texts, in bytes, after decoding them to the same bytes.

    Texts are read in order by one predictor, as `score_with` reads documents; separators are read
    and not coded. Decoding starts again, with a new predictor.

    Args:
        run: the model.
        texts: any bytes.
        windows: their context and stride; each text is a stream of its own.
        spec: the predictor; without one it is the model alone.
        report: called with the tokens done so far; each token of the texts counts twice.

    Raises:
        SpikeError: a text was decoded to other bytes; or as for `compress`.
    """
    check_lossless(run)
    check_windows(run.model, windows)
    tokenizer, spec = run.tokenizer, spec or PredictorSpec()
    ids = [tokenizer.encode(text) for text in texts]
    eos_id = tokenizer.eos_id
    done, coded = 0, []
    targets = sum(len(row) + 1 for row in ids)
    predictor = spec.build(tokenizer.vocab_size, eos_id)
    with spec.ttt_learner(run, targets, windows.context) as learner:
        for row in ids:
            coded_text = encode_tokens(
                predictor,
                run.model,
                row,
                windows,
                stages=spec.settings.stages,
                eos_id=eos_id,
                learner=learner,
                report=_counting_from(report, done),
            )
            coded.append(coded_text)
            done += len(row)
    predictor = spec.build(tokenizer.vocab_size, eos_id)
    with spec.ttt_learner(run, targets, windows.context) as learner:
        for text, row, data in zip(texts, ids, coded, strict=True):
            decoded = decode_tokens(
                predictor,
                run.model,
                data,
                len(row),
                windows,
                eos_id=eos_id,
                learner=learner,
                report=_counting_from(report, done),
            )
            done += len(decoded)
            if tokenizer.decode_bytes(decoded) != text:
                raise SpikeError(
                    "a text was decoded to other bytes; report this as a defect of spike"
                )
    return {stage: sum(len(data[stage]) for data in coded) for stage in spec.settings.stages}


def _counting_from(report: Callable[[int], None], first: int) -> Callable[..., None]:
    """Return a callback that reports the number of tokens done, plus `first`."""
    return lambda done, *_: report(first + done)
