import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spiketok.json_values import MAX_DEPTH, check_structure, shown

TEXTS = st.text(st.sampled_from('[]{},:"\\ a\n'), max_size=8)
VALUES = st.recursive(
    st.none() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)


def count(value):
    """Count lists and objects, and values that are not the first in theirs."""
    if not isinstance(value, list | dict):
        return 0
    inner = list(value.values()) if isinstance(value, dict) else value
    return 1 + max(len(inner) - 1, 0) + sum(map(count, inner))


@given(VALUES, st.sampled_from([None, 1]), st.booleans())
def test_values_are_counted_as_a_parser_does(value, indent, ascii_alone):
    data = json.dumps(value, indent=indent, ensure_ascii=ascii_alone).encode()
    check_structure(data, count(value))
    if count(value):
        with pytest.raises(ValueError, match="more than"):
            check_structure(data, count(value) - 1)


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_depth_has_a_limit(opening):
    closing = {"[": "]"}.get(opening, "}")
    for depth in (MAX_DEPTH, MAX_DEPTH + 1):
        data = (opening * depth + '"]}"' + closing * depth).encode()
        json.loads(data)
        if depth == MAX_DEPTH:
            check_structure(data, 1000)
        else:
            with pytest.raises(ValueError, match="nested too deeply"):
                check_structure(data, 1000)


def test_what_is_shown_is_short():
    deep = []
    for _ in range(5000):
        deep = [deep]
    for value in (deep, 16**5000, "a" * 1000, {"a": "\ud800\n"}):
        assert len(shown(value)) <= 80
        shown(value).encode()
