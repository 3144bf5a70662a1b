"""Items of records: prompts, blanks, labels, and the reasons by which broken ones are counted."""

import random
import re

import pytest

from spike_lm.model.evaluation.items import Request
from spike_lm.model.evaluation.records import (
    bare_pair_item,
    boolq_item,
    ending_item,
    hellaswag_item,
    last_word_item,
    operator_groups,
    own_item,
    pair_item,
    phenomenon_groups,
    piqa_item,
    query_item,
    question_item,
    winogrande_item,
    without_marks,
)
from spike_lm.model.evaluation.task import MAX_CHARACTERS, MAX_CHOICES, BrokenItemError

QUESTION = {"question": "Why?", "choices": ["a", "b"], "label": 1}
GAP = {"sentence": "It was _ . ", "option1": "Ann", "option2": "Bo", "label": 0}
PAIR = {"sentence_good": "He runs.", "sentence_bad": "He run."}


@pytest.mark.parametrize(
    ("build", "record", "pairs", "label"),
    [
        (question_item, QUESTION, [("Question: Why?\nAnswer:", " a"), (None, " b")], 1),
        (query_item, {"query": "x he", "choices": ["a", "b"], "label": 0}, [("x he", " a")], 0),
        (winogrande_item, GAP, [("It was Ann", " ."), ("It was Bo", " .")], 0),
        (
            piqa_item,
            {"goal": "Fly", "sol1": "a ", "sol2": "b", "label": 1},
            [("Question: Fly\nAnswer:", " a "), (None, " b")],
            1,
        ),
        (
            boolq_item,
            {"passage": "P.", "question": "is it", "label": 1},
            [("P.\nQuestion: is it?\nAnswer:", " no"), (None, " yes")],
            1,
        ),
        (last_word_item, {"context": "the", "continuation": "end"}, [("the", " end")], 0),
        (pair_item, PAIR, [("", " He runs."), ("", " He run.")], 0),
        (bare_pair_item, PAIR, [("", "He runs."), ("", "He run.")], 0),
        (
            hellaswag_item,
            {
                "ctx_a": "A man [header] sits.",
                "ctx_b": "the MAN",
                "activity_label": "Sit",
                "endings": ["a [title] b", "c"],
                "label": "1",
            },
            [("Sit: A man sits. The man", " a. b"), (None, " c")],
            1,
        ),
        (ending_item, {"ctx": "1 + 1 =", "endings": [" 2", " 3"], "label": 0}, [(None, " 2")], 0),
        (own_item, {"context": "c", "choices": ["\ta", "b"], "label": 1}, [("c", "\ta")], 1),
        (own_item, {"good": "Yes.", "bad": "No."}, [("", "Yes."), ("", "No.")], 0),
        (own_item, {"context": "Q", "good": "x", "bad": "y"}, [("Q", " x"), ("Q", " y")], 0),
    ],
)
def test_items_of_records(build, record, pairs, label):
    item = build(record, "file:7")
    assert (item.label, item.source, len(item.choices)) == (label, "file:7", len(item.requests))
    for request, (context, continuation) in zip(item.requests, pairs, strict=False):
        wanted = request.context if context is None else context
        assert request == Request(wanted, continuation)


def test_choices_have_no_delimiter():
    assert ending_item({"ctx": "1 =", "endings": [" 1", " 2"], "label": 0}, "").choices == (
        "1",
        "2",
    )
    assert question_item(QUESTION, "").choices == ("a", "b")


LONG = "x" * (MAX_CHARACTERS + 1)


@pytest.mark.parametrize(
    ("build", "changes", "reason"),
    [
        (question_item, {"question": None}, "question is null"),
        (question_item, {"question": LONG}, "question is longer than"),
        (question_item, {"choices": []}, "fewer than 2"),
        (question_item, {"choices": ["a"] * (MAX_CHOICES + 1)}, "more than 256 choices"),
        (question_item, {"choices": "ab"}, "choices is a text"),
        (question_item, {"choices": ["a", " \n"]}, "an empty choice"),
        (question_item, {"choices": ["a", 5]}, "a choice is a number"),
        (question_item, {"label": 2}, "label out of range"),
        (question_item, {"label": -1}, "label out of range"),
        (question_item, {"label": True}, "label is true or false"),
        (question_item, {"label": 1.0}, "label is a number"),
        (question_item, {"label": "9" * 5000}, "label is a text"),
        (question_item, {"label": "²"}, "label is a text"),
        (winogrande_item, {"sentence": "no gap"}, "no gap"),
        (winogrande_item, {"sentence": "ends in _ "}, "no gap, or no text after it"),
        (pair_item, {"sentence_bad": ""}, "an empty sentence"),
        (last_word_item, {"continuation": " "}, "an empty continuation"),
        (own_item, {"good": "x"}, "no bad"),
        (own_item, {"good": "x", "bad": "y", "context": []}, "context is a list"),
        (own_item, {"choices": ["a", "b"]}, "no context"),
    ],
)
def test_broken_records_have_a_reason(build, changes, reason):
    whole = {question_item: QUESTION, winogrande_item: GAP, pair_item: PAIR}
    record = {**whole.get(build, {}), **({"context": ""} if build is last_word_item else {})}
    with pytest.raises(BrokenItemError, match=re.escape(reason)):
        build({**record, **changes}, "x")
    for key in record:
        with pytest.raises(BrokenItemError):
            build({name: value for name, value in record.items() if name != key}, "x")


def test_marks_are_removed_as_by_the_regular_expression_of_the_harness():
    random.seed(5)
    for _ in range(3000):
        text = "".join(random.choices(["[", "]", "\n", " ", "a", " [title]", "ß"], k=12))
        wanted = re.sub("\\[.*?\\]", "", text.strip().replace(" [title]", ". "))
        assert without_marks(text) == wanted.replace("  ", " ")


def test_groups():
    found = phenomenon_groups({"UID": "npi_1", "field": "syntax/semantics"})
    assert found == {"paradigm": "npi_1", "field": "syntax_semantics"}
    assert operator_groups({"metadata": {"operator_count": 3}}) == {"operators": "3"}
    for metadata in (None, [], {"operator_count": "3"}):
        assert operator_groups({"metadata": metadata}) == {}
