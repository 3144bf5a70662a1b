"""BLiMP's minimal pairs (Warstadt et al., 2020), in the ways in which they are scored."""

from ..blimp_paradigms import ONE_A_PHENOMENON, PARADIGMS, blimp_file
from ..hub_rows import same_record
from ..records import bare_pair_item, pair_item, phenomenon_groups
from ..task import HubRows, Task

ACC = ("acc",)
BLIMP_ON_HUB = HubRows(
    path="nyu-mll/blimp", configurations=PARADIGMS, split="train", convert=same_record
)
BLIMP_FILES = tuple(blimp_file(paradigm) for paradigm in PARADIGMS)
BLIMP_SOURCE = "alexwarstadt/blimp"
BLIMP_TASKS = (
    Task(
        name="blimp",
        kind="multiple choice",
        summary="67 x 1,000 minimal pairs, each sentence after a blank, as in the harness",
        licence="CC BY 4.0",
        source=BLIMP_SOURCE,
        metrics=ACC,
        files=BLIMP_FILES,
        build=pair_item,
        groups=phenomenon_groups,
        hub=BLIMP_ON_HUB,
        hub_task="nyu-mll/blimp:blimp",
    ),
    Task(
        name="blimp-bare",
        kind="multiple choice",
        summary="blimp without the blank before the sentence, as in BLiMP's paper",
        licence="CC BY 4.0",
        source=BLIMP_SOURCE,
        metrics=ACC,
        files=BLIMP_FILES,
        build=bare_pair_item,
        groups=phenomenon_groups,
        hub=BLIMP_ON_HUB,
    ),
    Task(
        name="blimp-150",
        kind="multiple choice",
        summary="12 x 150 pairs: the first 150 of the first paradigm, by name, of each of the 12 "
        "phenomena. The cards that report 12 x 150 do not name theirs",
        licence="CC BY 4.0",
        source=BLIMP_SOURCE,
        metrics=ACC,
        files=tuple(blimp_file(paradigm) for paradigm in ONE_A_PHENOMENON),
        build=pair_item,
        groups=phenomenon_groups,
        per_file=150,
        hub=HubRows(
            path="nyu-mll/blimp",
            configurations=ONE_A_PHENOMENON,
            split="train",
            convert=same_record,
        ),
    ),
    Task(
        name="tiny-ml-blimp",
        kind="multiple choice",
        summary="blimp-bare with a context of 256",
        licence="CC BY 4.0",
        source=BLIMP_SOURCE,
        metrics=ACC,
        files=BLIMP_FILES,
        build=bare_pair_item,
        groups=phenomenon_groups,
        context=256,
        hub=BLIMP_ON_HUB,
    ),
)
