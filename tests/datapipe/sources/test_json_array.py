import json
import tracemalloc
from io import BytesIO
from itertools import chain, repeat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datapipe.sources import json_array
from datapipe.sources.bad_records import Dropped, ErrorPolicy, RecordRejectedError
from datapipe.sources.json_array import array_elements

VALUES = st.recursive(
    st.none() | st.integers() | st.text('a"\\é]}[{,: \n'),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner),
)


def elements(content, size, max_record=1 << 20):
    dropped = Dropped()
    faults = ErrorPolicy(Path("x"), "skip", dropped, max_record)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_array, "PIECE_BYTES", size)
        return list(array_elements(BytesIO(content), faults)), dropped


@given(
    st.lists(st.lists(VALUES) | st.dictionaries(st.text(), VALUES), max_size=5),
    st.integers(1, 40),
    st.integers(2, 60),
    st.sampled_from([None, 1]),
)
def test_elements_are_those_of_the_array_but_large_ones(rows, size, max_record, indent):
    written = [json.dumps(row, indent=indent).encode() for row in rows]
    found, dropped = elements(b" [" + b" ,\n".join(written) + b"]\n", size, max_record)
    small = [(n, one) for n, one in enumerate(written, 1) if len(one) <= max_record]
    assert [(number, element) for number, _, element in found] == small
    assert dropped.total() == len(rows) - len(small)


class Endless:
    """A stream of a beginning and a part that is repeated."""

    def __init__(self, beginning, part, times):
        self.pieces = chain([beginning], repeat(part, times))

    def read(self, _size):
        return next(self.pieces, b"")


ENDLESS = [
    (b'[{"a": 1}, {"b": "', b'\\"x\\\\' * 10000),
    (b'[{"a": 1}, {"b": [', b"[1, 2], " * 8000),
    (b'[{"a": 1}, ', b"1, " * 20000),
    (b'[{"a": 1}, "', b"x" * 60000),
    (b'[{"a": 1}] ', b" " * 60000),
]


@pytest.mark.parametrize(("beginning", "part"), ENDLESS)
def test_endless_arrays_take_little_memory(beginning, part):
    tracemalloc.start()
    faults = ErrorPolicy(Path("x"), "skip", max_record=1 << 20)
    found = [element for *_, element in array_elements(Endless(beginning, part, 300), faults)]
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == [b'{"a": 1}']
    assert most < 4 << 20
    if beginning.count(b"{") == 2:
        faults = ErrorPolicy(Path("x"), "strict", max_record=1 << 20)
        with pytest.raises(RecordRejectedError, match=r"record 2 \(byte 11\): larger than"):
            list(array_elements(Endless(beginning, part, 10**9), faults))
