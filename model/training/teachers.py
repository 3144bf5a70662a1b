"""Teachers of a distillation: opening their runs, and their fingerprints."""

from collections.abc import Sequence
from pathlib import Path

from spiketok import Tokenizer
from spiketok.errors import SpikeError
from spiketok.fingerprints import check_same_tokenizer

from ..config.schema import Config
from ..device import choose_device
from ..runs.folder import Run, load_run
from .distillation import check_compatible


def open_teachers(config: Config, tokenizer: Tokenizer) -> list[Run]:
    """Open the newest checkpoint of each teacher, on the device that the student trains on.

    Raises:
        SpikeError: a folder holds no usable run, or one of another tokenizer or a shorter context.
    """
    teachers = []
    device = choose_device(config.train.device)
    for folder in config.distill.teachers if config.distill else ():
        try:
            teacher = load_run(Path(folder), device)
        except SpikeError as error:
            raise SpikeError(f"distill.teachers: {error}") from None
        theirs, ours = teacher.tokenizer.fingerprint, tokenizer.fingerprint
        fix = "shard the text with the teacher's tokenizer.json"
        check_same_tokenizer(folder, theirs, "the data", ours, fix)
        check_compatible(folder, teacher.model, config, tokenizer.vocab_size)
        teachers.append(teacher)
    return teachers


def teacher_fingerprints(teachers: Sequence[Run]) -> dict[str, str]:
    """Return `teacher-1` … and the digests of their checkpoints, for the student's lineage."""
    return {f"teacher-{number}": teacher.digest for number, teacher in enumerate(teachers, 1)}
