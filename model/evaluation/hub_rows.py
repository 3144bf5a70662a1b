"""Rows of hub datasets as the records of the data files, one function per shape of rows."""

from .task import BrokenItemError, Record, checked_text


def arc_record(row: Record) -> Record:
    """Return the record of a row of ARC or OpenBookQA, whose labels are letters or digits.

    Raises:
        BrokenItemError: the answer is no label, or a field is missing.

    >>> choices = {"text": ["a", "b"], "label": ["A", "B"]}
    >>> arc_record({"question": "Why?", "choices": choices, "answerKey": "B"})["label"]
    1
    """
    choices, answer = row.get("choices"), row.get("answerKey")
    if not isinstance(choices, dict) or not isinstance(answer, str):
        raise BrokenItemError("no choices or no answerKey")
    labels = list(choices.get("label", ()))
    if answer.lstrip() not in labels:
        raise BrokenItemError("label out of range")
    question = row.get("question", row.get("question_stem"))
    return {
        "id": row.get("id"),
        "question": checked_text(question, "question"),
        "choices": list(choices.get("text", ())),
        "label": labels.index(answer.lstrip()),
    }


def winogrande_record(row: Record) -> Record:
    """Return the record of a row of WinoGrande, whose answer is "1" or "2".

    Raises:
        BrokenItemError: the answer is another.
    """
    if row.get("answer") not in ("1", "2"):
        raise BrokenItemError("label out of range")
    return {**row, "label": int(row["answer"]) - 1}


def lambada_record(row: Record) -> Record:
    """Return the record of a row of LAMBADA: its text up to the last blank, and the last word.

    >>> lambada_record({"text": "She saw the sea"})
    {'context': 'She saw the', 'continuation': 'sea'}
    """
    context, _, word = checked_text(row.get("text"), "text").rpartition(" ")
    return {"context": context, "continuation": word}


def same_record(row: Record) -> Record:
    """Return a row that is a record already."""
    return row
