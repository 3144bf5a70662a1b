"""Tasks on running text: byte perplexity of WikiText-2, the last word of LAMBADA's passages."""

from ..hub_rows import lambada_record
from ..records import last_word_item
from ..task import DataFile, HubRows, Task

WIKITEXT2 = DataFile(
    "wikitext2/wiki.test.raw",
    "173c87a53759e0201f33e0ccf978e510c2042d7f2cb78229d9a50d79b9e7dd08",
    4358,
)


def joined_rows(content: bytes) -> bytes:
    r"""Return WikiText's lines joined by blanks, as public boards of small models score them.

    A row of the hub's dataset is a line with its end, or empty for a line without text.

    >>> joined_rows(b" \n = A = \n \n Text . \n \n")
    b'= A = \n   Text .'
    """
    lines = content.decode("utf-8").split("\n")[:-1]
    rows = [f"{line}\n" if line.strip() else "" for line in lines]
    return " ".join(rows).strip().encode()


TEXT_TASKS = (
    Task(
        name="wikitext2",
        kind="text",
        summary="raw test text as one text; byte_ppl = exp(nats / UTF-8 bytes). The harness's "
        "`wikitext` scores each page by itself and detokenised, per byte of the original page",
        licence="CC BY-SA 3.0",
        source="Merity et al., 2016",
        metrics=("byte_ppl", "bits_per_byte"),
        files=(WIKITEXT2,),
    ),
    Task(
        name="lambada",
        kind="last word",
        summary="the last word of a passage, as `lambada_openai`: right where each of its tokens "
        "is the most probable one; perplexity is that of the word",
        licence="CC BY 4.0",
        source="LAMBADA, OpenAI's text",
        metrics=("acc", "perplexity"),
        files=(
            DataFile(
                "lambada/lambada_openai_test.jsonl.gz",
                "5b9bcae665c693d99dfd41efa62619b4ba24cc0913a3d39eae0cd546cece58b1",
                5153,
            ),
        ),
        build=last_word_item,
        hub=HubRows(
            path="EleutherAI/lambada_openai",
            configurations=("default",),
            split="test",
            convert=lambada_record,
        ),
        hub_task="EleutherAI/lambada_openai:default",
    ),
    Task(
        name="tiny-ml-wikitext2",
        kind="text",
        summary="wikitext2 with its lines joined by blanks (1,292,008 bytes) and a context of 256",
        licence="CC BY-SA 3.0",
        source="Merity et al., 2016",
        metrics=("byte_ppl", "bits_per_byte"),
        files=(WIKITEXT2,),
        join=joined_rows,
        context=256,
    ),
)
