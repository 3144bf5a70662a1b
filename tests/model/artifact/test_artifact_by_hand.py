"""docs/formats.md §9 is enough to write an artifact: nothing of ours writes these files."""

import functools
import hashlib
import lzma
import resource
import struct

import numpy as np
import pytest

from spike_lm.model.artifact.open import open_artifact
from spiketok.errors import SpikeError

CONFIG = b"""
[model]
layers = 2
dim = 16
heads = 4
kv_heads = 2
head_dim = 8
ffn_dim = 24
context = 12
"""
TOKENIZER = b"""{"algorithm":"bese","alphabet":"bese","lossless":true,"vocab_size":48,
"merges":[[4,5],[23,6]],"spike":{"format":1,"settings":{},"training":{},"inputs":[]}}"""
NAMED = struct.pack("<5I", 48, 4, 5, 23, 6)
FINGERPRINT = hashlib.sha256(b"spike-bese-1\nbese\n" + NAMED).hexdigest().encode()
LINEAGE = b'{"spike":"0","step":3,"fingerprints":{"tokenizer":"%s"},"compression":{}}' % FINGERPRINT
BLOCK_SHAPES = {
    "input_layernorm": (16,),
    "self_attn.q_proj": (32, 16),
    "self_attn.k_proj": (16, 16),
    "self_attn.v_proj": (16, 16),
    "self_attn.o_proj": (16, 32),
    "self_attn.q_norm": (8,),
    "self_attn.k_norm": (8,),
    "post_attention_layernorm": (16,),
    "mlp.gate_proj": (24, 16),
    "mlp.up_proj": (24, 16),
    "mlp.down_proj": (16, 24),
}
SHAPES = {
    "model.embed_tokens.weight": (48, 16),
    **{f"model.layers.{n}.{k}.weight": shape for n in (0, 1) for k, shape in BLOCK_SHAPES.items()},
    "model.norm.weight": (16,),
}
PLAIN, XZ, ADAPTIVE = 0, 1, 2


def xz(data):
    size = min(max(len(data), 1 << 12), 1 << 24)
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": size}]
    return lzma.compress(data, format=lzma.FORMAT_RAW, filters=filters)


def packed_bits(codes, bits):
    """Arrangement 1."""
    whole = 0
    for place, code in enumerate(codes.ravel().tolist()):
        whole |= (code + (1 << bits - 1) - 1) << bits * place
    return whole.to_bytes(-(-bits * codes.size // 8), "little")


def bit_planes(codes, bits):
    """Arrangement 2 of codes."""
    symbols = codes.astype(int).ravel() + (1 << bits - 1) - 1
    planes = [symbols >> bit & 1 for bit in reversed(range(bits))]
    return b"".join(np.packbits(p.astype(np.uint8), bitorder="little").tobytes() for p in planes)


def level(x):
    w = x.bit_length() - 1
    return 64 * w + ((x * 64) >> w) - 64


class Coder:
    """Adaptive coding, by the six steps of the text; knows the matrices before."""

    def __init__(self, bits):
        self.bits = bits
        self.cells = {}

    def encode(self, rows, centre):
        low, high, out = 0, 2**32 - 1, bytearray()
        size = 256 * 2**self.bits // 6
        total = count = 0
        above = [0] * len(rows[0])
        for number, row in enumerate(rows):
            mean = max(1, (256 * total + 16 * size) // (count + 16))
            within = 0
            for place, symbol in enumerate(row):
                in_row = max(1, (256 * within + 16 * mean) // (place + 16))
                in_column = max(1, (256 * above[place] + 16 * mean) // (number + 16))
                found = (level(in_row) + level(in_column) - level(mean)) >> 4
                node, kind = 1, min(max(found, 0), 63)
                for shift in reversed(range(self.bits)):
                    bit = symbol >> shift & 1
                    p, n = self.cells.get((kind, node), (2**21, 0))
                    cell = p * 2**10 + n
                    q = min(max(cell >> 16, 16), 65520)
                    middle = low + ((high - low) * q >> 16)
                    low, high = (low, middle) if bit else (middle + 1, high)
                    while low >> 24 == high >> 24:
                        out.append(low >> 24)
                        low, high = low << 8 & 0xFFFFFFFF, high << 8 & 0xFFFFFFFF | 255
                    aim = 2**22 - 1 if bit else 0
                    p += (aim - p) * (327680 // (5 * n + 8)) >> 16
                    self.cells[kind, node] = p, min(n + 1, 255)
                    node = 2 * node + bit
                distance = abs(symbol - centre)
                within += distance
                above[place] += distance
            total += within
            count += len(row)
        return bytes(out) + low.to_bytes(4, "big")


def codes_and_scales(weight, bits):
    top = (1 << bits - 1) - 1
    scales = (np.abs(weight).max(axis=1) / top).astype("<f2")
    codes = np.clip(np.rint(weight / scales.astype(np.float32)[:, None]), -top, top)
    return codes.astype(np.int8), scales


@functools.cache
def made_by_hand():
    """Return the weights that a file shall give, and its two sections `arrays` and `weights`."""
    rng = np.random.default_rng(0)
    coders = {(bits, order): Coder(bits) for bits in (4, 8) for order in (0, 1)}
    rows, stored, expected = [], [], {}

    def store(name, bits, shape, layout, data):
        label = name.encode()
        row = struct.pack("<H", len(label)) + label + struct.pack("<4B", bits, *layout)
        rows.append(row + struct.pack(f"<B{len(shape)}IQ", len(shape), *shape, len(data)))
        stored.append(data)

    def store_codes(name, codes, scales, number):
        """Store them in one layout of several, which `number` chooses."""
        order = number % 2
        ordered = codes.T if order else codes
        arrangement, coding = [(0, 0), (1, 0), (1, 1), (2, 1), (0, 2), (0, 2)][number % 6]
        data = [ordered.tobytes(), packed_bits(ordered, 4), bit_planes(ordered, 4)][arrangement]
        if coding == ADAPTIVE:
            data = coders[4, order].encode((ordered.astype(int) + 7).tolist(), 7)
        layout = (arrangement, order, coding)
        store(name, 4, codes.shape, layout, xz(data) if coding == XZ else data)
        store(name + "/scales", 16, scales.shape, (0, 0, 0), scales.tobytes())

    for number, (name, shape) in enumerate(SHAPES.items()):
        weight = rng.normal(0, 0.3, shape).astype("<f4")
        expected[name] = weight
        if len(shape) == 2:
            codes, scales = codes_and_scales(weight, 4)
            expected[name] = codes * scales.astype("f4")[:, None]
            store_codes(name, codes, scales, number)
            if number % 4 == 0:
                factors = []
                for side, length in (("left", shape[0]), ("right", shape[1])):
                    thin, thin_scales = codes_and_scales(rng.normal(0, 0.1, (1, length)), 4)
                    store_codes(f"{name}/{side}", thin, thin_scales, number + length)
                    factors.append((thin * thin_scales.astype("f4")[:, None])[0])
                expected[name] = expected[name] + factors[0][:, None] * factors[1]
        elif number % 2:
            # Arrangement 2 of floating-point numbers, its highest plane adaptive.
            turned = np.bitwise_or(weight.view("<u4") << 1, weight.view("<u4") >> 31)
            planes = [(turned >> shift & 255).astype(np.uint8) for shift in (24, 16, 8, 0)]
            data = b"".join(plane.tobytes() for plane in planes[1:])
            data += coders[8, 0].encode([planes[0].tolist()], 0)
            store(name, 32, shape, (2, 0, ADAPTIVE), data)
        else:
            store(name, 32, shape, (0, 0, PLAIN), weight.tobytes())
    return expected, struct.pack("<I", len(rows)) + b"".join(rows), b"".join(stored)


def file_of(arrays, weights):
    """Put the sections together, some of them through xz."""
    sections = [
        (b"config", XZ, CONFIG),
        (b"tokenizer", XZ, TOKENIZER),
        (b"lineage", PLAIN, LINEAGE),
        (b"arrays", PLAIN, arrays),
        (b"weights", PLAIN, weights),
        (b"table-of-mine", PLAIN, b"\0\1\2"),
    ]
    stored = [xz(content) if coding == XZ else content for _, coding, content in sections]
    size = 24 + 40 * len(sections) + sum(map(len, stored)) + 32
    out = b"\x89SPIKE\r\n" + struct.pack("<IIQ", 1, len(sections), size)
    for (name, coding, content), data in zip(sections, stored, strict=True):
        out += struct.pack("<16sIIQQ", name, coding, 0, len(content), len(data))
    out += b"".join(stored)
    return out + hashlib.sha256(out).digest()


def test_a_file_built_from_the_description_opens(tmp_path):
    expected, arrays, weights = made_by_hand()
    path = tmp_path / "hand.spike"
    path.write_bytes(file_of(arrays, weights))
    opened = open_artifact(path)
    assert opened.step == 3
    assert opened.tokenizer.vocab_size == 48
    state = opened.model.state_dict()
    assert state.keys() == expected.keys()
    for name, tensor in state.items():
        assert np.array_equal(tensor.numpy(), expected[name]), name


def test_arrays_that_the_file_cannot_hold_are_refused(tmp_path):
    _, arrays, weights = made_by_hand()
    path = tmp_path / "huge.spike"
    shape = struct.pack("<B2I", 2, 48, 16)
    assert arrays.count(shape) == 1
    for rows, columns in ((2**32 - 1, 2**32 - 1), (2**31, 1), (4096, 4096)):
        wrong = arrays.replace(shape, struct.pack("<B2I", 2, rows, columns))
        path.write_bytes(file_of(wrong, weights))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with pytest.raises(SpikeError, match="too many for the file"):
            open_artifact(path)
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < before + 200_000


@pytest.mark.slow
@pytest.mark.parametrize("value", [b"\xff" * 4, b"\xff" * 8, b"\0" * 4, struct.pack("<Q", 2**40)])
def test_any_field_of_the_table_may_be_wrong(tmp_path, value):
    _, arrays, weights = made_by_hand()
    path = tmp_path / "wrong.spike"
    path.write_bytes(file_of(arrays, weights))
    right = open_artifact(path).model.state_dict()
    before, refused = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, 0
    for place in range(len(arrays) - len(value) + 1):
        path.write_bytes(file_of(arrays[:place] + value + arrays[place + len(value) :], weights))
        try:
            found = open_artifact(path).model.state_dict()
        except SpikeError as error:
            assert "\n" not in str(error)
            refused += 1
        else:
            # What a layout's bytes say may still be weights, of the same names and shapes.
            assert {k: t.shape for k, t in found.items()} == {k: t.shape for k, t in right.items()}
    assert refused > len(arrays) * 0.9
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < before + 200_000
