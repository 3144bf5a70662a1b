"""Records as items: the prompt, the blanks and the choices of each task.

Those of lm-evaluation-harness 0.4.13, unless the name of a function says otherwise. There the
continuation of a choice is a blank and the choice.
"""

from .items import Item, Request
from .task import BrokenItemError, Record, checked_text, choices_of, label_of, text_of

DELIMITER = " "


def choice_item(context: str, choices: tuple[str, ...], label: int, place: str) -> Item:
    """Return the item whose choices follow one context.

    Args:
        context: the prompt.
        choices: texts, without the delimiter.
        label: number of the right one.
        place: file and line.
    """
    requests = tuple(Request(context, DELIMITER + choice) for choice in choices)
    return Item(requests, choices, label, place)


def question_item(record: Record, place: str) -> Item:
    r"""Return the item of ARC: `Question: {question}\nAnswer:`.

    >>> found = question_item({"question": "Why?", "choices": ["a", "b"], "label": 1}, "x:1")
    >>> found.requests[1]
    Request(context='Question: Why?\nAnswer:', continuation=' b')
    """
    choices = choices_of(record)
    context = f"Question: {text_of(record, 'question')}\nAnswer:"
    return choice_item(context, choices, label_of(record, len(choices)), place)


def bare_question_item(record: Record, place: str) -> Item:
    """Return the item of OpenBookQA: the question, without a prompt."""
    choices = choices_of(record)
    return choice_item(text_of(record, "question"), choices, label_of(record, len(choices)), place)


def query_item(record: Record, place: str) -> Item:
    """Return the item of a record with a whole prompt, as of HellaSwag and copycolors."""
    choices = choices_of(record)
    return choice_item(text_of(record, "query"), choices, label_of(record, len(choices)), place)


def hellaswag_item(record: Record, place: str) -> Item:
    """Return the item of a record of HellaSwag's own file, prepared as the harness does.

    The second half of the context is capitalised, and marks such as `[title]` become plain text.

    Raises:
        BrokenItemError: a field is missing, not of its type or empty.
    """
    halves = (text_of(record, "ctx_a"), text_of(record, "ctx_b").capitalize())
    query = f"{text_of(record, 'activity_label')}: {' '.join(halves)}"
    endings = tuple(without_marks(ending) for ending in choices_of(record, "endings"))
    if not all(endings):
        raise BrokenItemError("an empty choice")
    return choice_item(without_marks(query), endings, label_of(record, len(endings)), place)


def without_marks(text: str) -> str:
    """Return a text of HellaSwag without its marks in brackets.

    >>> without_marks(" Put on. [title] Shoes [substeps] Tie.")
    'Put on.. Shoes Tie.'
    """
    *segments, rest = text.strip().replace(" [title]", ". ").split("]")
    kept = []
    for segment in segments:
        # A mark begins at the first bracket of its line.
        start = segment.find("[", segment.rfind("\n") + 1)
        kept.append(segment[:start] if start >= 0 else f"{segment}]")
    return "".join([*kept, rest]).replace("  ", " ")


def winogrande_item(record: Record, place: str) -> Item:
    """Return the item of WinoGrande: the choices end the context, one continuation follows.

    Partial evaluation (Trinh and Le, 2018): the text after the gap is scored.

    Raises:
        BrokenItemError: a field is missing or empty, or there is no gap.
    """
    sentence = text_of(record, "sentence")
    before, gap, after = sentence.partition("_")
    if not gap or not after.strip():
        raise BrokenItemError("no gap, or no text after it")
    choices = choices_of({"choices": [text_of(record, "option1"), text_of(record, "option2")]})
    continuation = DELIMITER + after.strip()
    requests = tuple(Request(before + choice, continuation) for choice in choices)
    return Item(requests, choices, label_of(record, 2), place)


def piqa_item(record: Record, place: str) -> Item:
    r"""Return the item of PIQA: `Question: {goal}\nAnswer:`."""
    choices = choices_of({"choices": [text_of(record, "sol1"), text_of(record, "sol2")]})
    context = f"Question: {text_of(record, 'goal')}\nAnswer:"
    return choice_item(context, choices, label_of(record, 2), place)


def boolq_item(record: Record, place: str) -> Item:
    r"""Return the item of BoolQ: `{passage}\nQuestion: {question}?\nAnswer:` no, yes."""
    question = f"{text_of(record, 'passage')}\nQuestion: {text_of(record, 'question')}?\nAnswer:"
    return choice_item(question, ("no", "yes"), label_of(record, 2), place)


def last_word_item(record: Record, place: str) -> Item:
    """Return the item of LAMBADA: the last word after its text, with no other choice.

    Raises:
        BrokenItemError: a field is missing, or there is no word.
    """
    word = text_of(record, "continuation")
    if not word.strip():
        raise BrokenItemError("an empty continuation")
    return choice_item(text_of(record, "context"), (word,), 0, place)


def pair_item(record: Record, place: str) -> Item:
    """Return the item of BLiMP: two sentences without context, after a blank as in the harness."""
    return choice_item("", sentences(record), 0, place)


def bare_pair_item(record: Record, place: str) -> Item:
    """Return the item of BLiMP's paper: two sentences without context and without a blank."""
    good, bad = sentences(record)
    return Item((Request("", good), Request("", bad)), (good, bad), 0, place)


def sentences(record: Record) -> tuple[str, str]:
    """Return the acceptable sentence of a minimal pair and the other one.

    Raises:
        BrokenItemError: one is missing or empty.
    """
    good, bad = text_of(record, "sentence_good"), text_of(record, "sentence_bad")
    if not good.strip() or not bad.strip():
        raise BrokenItemError("an empty sentence")
    return good, bad


def phenomenon_groups(record: Record) -> dict[str, str]:
    """Return paradigm and field of a BLiMP pair; the data write one field in two ways."""
    field = str(record.get("field", "")).replace("/", "_")
    return {"paradigm": str(record.get("UID", "")), "field": field}


def ending_item(record: Record, place: str) -> Item:
    """Return the item of ArithMark: endings follow `ctx` as they are, their blank included."""
    endings = choices_of(record, "endings")
    context = text_of(record, "ctx")
    requests = tuple(Request(context, ending) for ending in endings)
    numbers = tuple(ending.strip() for ending in endings)
    return Item(requests, numbers, label_of(record, len(endings)), place)


def operator_groups(record: Record) -> dict[str, str]:
    """Return the number of operators of an arithmetic item, where it is known."""
    metadata = record.get("metadata")
    known = isinstance(metadata, dict) and isinstance(metadata.get("operator_count"), int)
    return {"operators": str(metadata["operator_count"])} if known and metadata else {}


def own_item(record: Record, place: str) -> Item:
    """Return the item of a user's record: `context`, `choices`, `label`; or `good`, `bad`.

    The continuation is a blank and the choice, unless the choice begins with white space. A pair
    has no context, unless it names one, and then no blank.
    """
    if "good" in record or "bad" in record:
        choices = choices_of({"choices": [text_of(record, "good"), text_of(record, "bad")]})
        context, label = checked_text(record.get("context", ""), "context"), 0
    else:
        choices = choices_of(record)
        context, label = text_of(record, "context"), label_of(record, len(choices))
    requests = tuple(Request(context, own_continuation(context, choice)) for choice in choices)
    return Item(requests, choices, label, place)


def own_continuation(context: str, choice: str) -> str:
    """Return a choice as it follows its context.

    >>> own_continuation("2 + 2 =", "4"), own_continuation("def f():", "\\n    pass")
    (' 4', '\\n    pass')
    >>> own_continuation("", "The cat sleeps.")
    'The cat sleeps.'
    """
    return choice if not context or choice[0].isspace() else DELIMITER + choice
