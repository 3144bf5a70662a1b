"""BLiMP's paradigms, and the checksums of their files: gzip of the published JSON Lines.

`blimp.sha256` is in the format of sha256sum.
"""

from importlib.resources import files

from .task import DataFile

LINES = (files(__package__) / "tasks" / "blimp.sha256").read_text("ascii").splitlines()
# Path of a paradigm's file → its sha256.
CHECKSUMS = {path: checksum for checksum, path in map(str.split, LINES)}
PARADIGMS = tuple(path.removeprefix("blimp/").removesuffix(".jsonl.gz") for path in CHECKSUMS)
# The first paradigm, by name, of each of the twelve phenomena of the paper.
ONE_A_PHENOMENON = (
    "adjunct_island",
    "anaphor_gender_agreement",
    "causative",
    "determiner_noun_agreement_1",
    "distractor_agreement_relational_noun",
    "ellipsis_n_bar_1",
    "existential_there_object_raising",
    "existential_there_quantifiers_1",
    "irregular_past_participle_adjectives",
    "matrix_question_npi_licensor_present",
    "principle_A_c_command",
    "wh_questions_object_gap",
)
PAIRS = 1000


def blimp_file(paradigm: str) -> DataFile:
    """Return the data file of a paradigm."""
    path = f"blimp/{paradigm}.jsonl.gz"
    return DataFile(path, CHECKSUMS[path], PAIRS)
