"""Multiple-choice tasks of arithmetic, and one of copying."""

from ..arithmetic_items import ITEMS, SEED, arithmetic_records
from ..hub_rows import same_record
from ..records import ending_item, operator_groups, query_item, question_item
from ..task import DataFile, HubRows, Task

ACC, ALL_ACC = ("acc",), ("acc", "acc_norm", "acc_bytes")
ARITHMETIC_TASKS = (
    Task(
        name="arithmark",
        kind="multiple choice",
        summary="ArithMark 2.0: sums with four endings; its official metric is acc. "
        "The checksum is one that others published",
        licence="Apache-2.0",
        source="AxiomicLabs/ArithMark-2.0",
        metrics=("acc", "acc_norm"),
        files=(
            DataFile(
                "arithmark/arithmark_2.0.jsonl",
                "c245b4e50e603b32814d4f489f64934f9eeb4488ae29f744d906c8e3f326ebcd",
                2500,
            ),
        ),
        build=ending_item,
        groups=operator_groups,
        hub=HubRows(path="AxiomicLabs/ArithMark-2.0", split="train", convert=same_record),
        hub_task="AxiomicLabs/ArithMark-2.0:arithmark",
    ),
    Task(
        name="spike-arithmetic",
        kind="multiple choice",
        summary=f"{ITEMS:,} generated sums (seed {SEED}) in the form of arithmark, which they "
        "are not: scores of the two cannot be compared",
        licence="Apache-2.0",
        source="generated",
        metrics=("acc", "acc_norm"),
        build=ending_item,
        groups=operator_groups,
        generate=arithmetic_records,
    ),
    Task(
        name="basic_arithmetic",
        kind="multiple choice",
        summary="sums with four choices, the prompt of arc_easy",
        licence="Apache-2.0",
        source="allenai/OLMo",
        metrics=ALL_ACC,
        files=(
            DataFile(
                "arithmetic/basic_arithmetic_validation.jsonl.gz",
                "0fdda7c0da328ab35238cc1b9e1b323c7cd4dada552a0e363c4281a9d65b2c4d",
                3000,
            ),
        ),
        build=question_item,
    ),
    Task(
        name="copycolors",
        kind="multiple choice",
        summary="the letter of a colour that the question names, of ten",
        licence="Apache-2.0",
        source="allenai/OLMo",
        metrics=ACC,
        files=(
            DataFile(
                "copycolors/copycolors_10way_1000.jsonl.gz",
                "cdaa1565aba40ed913454c7a26b9e214910e1c7ad4a96b05c711910469c60eed",
                1000,
            ),
        ),
        build=query_item,
    ),
)
