"""Vocabularies that tests share."""

import pytest

from spiketok import Tokenizer, build_vocabulary

PIECES = [b"th", b"the", b"the ", b" the", b"he", b"an", b"and ", "ä".encode(), b"aa", b"aaaa"]


@pytest.fixture
def vocabulary():
    return build_vocabulary(PIECES, 400, "chatml")


@pytest.fixture
def tokenizer(vocabulary):
    return Tokenizer(vocabulary)
