"""Multiple-choice tasks: science, activities, everyday knowledge, reading."""

from ..hub_rows import arc_record, same_record, winogrande_record
from ..records import (
    bare_question_item,
    boolq_item,
    hellaswag_item,
    piqa_item,
    query_item,
    question_item,
    winogrande_item,
)
from ..task import DataFile, HubRows, Task

ACC, ALL_ACC = ("acc",), ("acc", "acc_norm", "acc_bytes")
ARC_EASY = DataFile(
    "arc_easy/test.jsonl",
    "83a8602b410eeb0aaf1d1a511d32a74da24f4dadd043822b5a119b16e661966d",
    2376,
)
ARC_EASY_ON_HUB = HubRows(
    path="allenai/ai2_arc", configurations=("ARC-Easy",), split="test", convert=arc_record
)
QUESTION_TASKS = (
    Task(
        name="arc_easy",
        kind="multiple choice",
        summary="science questions of the easy set: `Question: ...` `Answer:`",
        licence="CC BY-SA 4.0",
        source="AI2 ARC, test",
        metrics=ALL_ACC,
        files=(ARC_EASY,),
        build=question_item,
        hub=ARC_EASY_ON_HUB,
        hub_task="allenai/ai2_arc:ARC-Easy",
    ),
    Task(
        name="arc_challenge",
        kind="multiple choice",
        summary="science questions of the hard set, the prompt of arc_easy",
        licence="CC BY-SA 4.0",
        source="AI2 ARC, test",
        metrics=ALL_ACC,
        files=(
            DataFile(
                "arc_challenge/test.jsonl",
                "60619285301b96db8d8bcd06c990af42ecd49cd0e25fd4e58db46ae5ac76ba9b",
                1172,
            ),
        ),
        build=question_item,
        hub=HubRows(
            path="allenai/ai2_arc",
            configurations=("ARC-Challenge",),
            split="test",
            convert=arc_record,
        ),
        hub_task="allenai/ai2_arc:ARC-Challenge",
    ),
    Task(
        name="hellaswag",
        kind="multiple choice",
        summary="endings of described activities, prepared from the dataset's own file as in the "
        "harness: the second half of the context is capitalised",
        licence="MIT",
        source="rowanz/hellaswag",
        metrics=ALL_ACC,
        files=(
            DataFile(
                "hellaswag/hellaswag_val.jsonl",
                "0aa3b88843990f3f10a97b9575c94d7b71fb2205240ba04ae4884d9e9c992588",
                10042,
            ),
        ),
        build=hellaswag_item,
        hub=HubRows(path="Rowan/hellaswag", split="validation", convert=same_record),
        hub_task="Rowan/hellaswag:hellaswag",
    ),
    Task(
        name="hellaswag-lower",
        kind="multiple choice",
        summary="hellaswag from a file of ready-made contexts whose second half is not "
        "capitalised, so its numbers differ from the harness's",
        licence="MIT",
        source="klosax/hellaswag_text_data",
        metrics=ALL_ACC,
        files=(
            DataFile(
                "hellaswag/validation.jsonl.gz",
                "f8bbec9e9249573f4fd1e7b088dbaddd93e034f87e17c92bfccaf6a1166ac5ae",
                10042,
            ),
        ),
        build=query_item,
    ),
    Task(
        name="winogrande",
        kind="multiple choice",
        summary="each name fills the gap, and the text after the gap is scored",
        licence="CC BY 4.0",
        source="WinoGrande XL, dev",
        metrics=ACC,
        files=(
            DataFile(
                "winogrande/dev.jsonl",
                "7fc7f726d85d37b31da7fe4e89eb2bf95ff1b8dcedc0e3b30dfd927035620669",
                1267,
            ),
        ),
        build=winogrande_item,
        hub=HubRows(
            path="allenai/winogrande",
            configurations=("winogrande_xl",),
            split="validation",
            convert=winogrande_record,
        ),
        hub_task="allenai/winogrande:winogrande_xl",
    ),
    Task(
        name="piqa",
        kind="multiple choice",
        summary="two ways to reach a goal: `Question: {goal}` `Answer:`",
        licence="AFL-3.0",
        source="PIQA, validation",
        metrics=ALL_ACC,
        files=(
            DataFile(
                "piqa/validation.jsonl",
                "886c7785f40ef5ace0856d2476c8865e5f9c8e9aa6ec1125b13e26d1af300fe0",
                1838,
            ),
        ),
        build=piqa_item,
        hub=HubRows(path="baber/piqa", split="validation", convert=same_record),
        hub_task="baber/piqa:piqa",
    ),
    Task(
        name="openbookqa",
        kind="multiple choice",
        summary="beginnings of sentences about science, without a prompt",
        licence="Apache-2.0",
        source="allenai/OpenBookQA",
        metrics=ALL_ACC,
        files=(
            DataFile(
                "openbookqa/test.jsonl",
                "4cab25ce1e63f9501bf9e2de788d2ac301e14b78164cecea78a0ac840e8cbae1",
                500,
            ),
        ),
        build=bare_question_item,
        hub=HubRows(
            path="allenai/openbookqa", configurations=("main",), split="test", convert=arc_record
        ),
        hub_task="allenai/openbookqa:main",
    ),
    Task(
        name="boolq",
        kind="multiple choice",
        summary="a passage and a question, answered by no or yes",
        licence="CC BY-SA 3.0",
        source="BoolQ, dev",
        metrics=ACC,
        files=(
            DataFile(
                "boolq/dev.jsonl.gz",
                "aee31412f9adadb9e31d0f5ea070823f054557468961506719a48724eebf3f6a",
                3270,
            ),
        ),
        build=boolq_item,
        hub=HubRows(
            path="aps/super_glue",
            configurations=("boolq",),
            split="validation",
            convert=same_record,
        ),
        hub_task="aps/super_glue:boolq",
    ),
    Task(
        name="tiny-ml-arc_easy",
        kind="multiple choice",
        summary="arc_easy with a context of 256; choices are not normalised",
        licence="CC BY-SA 4.0",
        source="AI2 ARC, test",
        metrics=ACC,
        files=(ARC_EASY,),
        build=question_item,
        context=256,
        hub=ARC_EASY_ON_HUB,
    ),
)
