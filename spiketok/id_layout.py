"""Id layout: the purpose of each id of a vocabulary, and the special names."""

# Kinds of id.
PIECE, SPECIAL, RESERVED = range(3)

FIRST_NAMES = ("<pad>", "<unk>", "<bos>", "<eos>")
EOS_ID = FIRST_NAMES.index("<eos>")
FIRST_BYTE_ID = len(FIRST_NAMES)
FIRST_PIECE_ID = FIRST_BYTE_ID + 256
# First ids of every vocabulary.
FIRST_ENTRIES = (
    *(name.encode() for name in FIRST_NAMES),
    *(bytes([byte]) for byte in range(256)),
)

CHATML_NAMES = (
    "<|im_start|>",
    "<|im_end|>",
    "<think>",
    "</think>",
    "<begin_solution>",
    "<end_solution>",
    "<tool_call>",
    "</tool_call>",
    "<tool_response>",
    "</tool_response>",
    "<|system|>",
    "<|user|>",
    "<|assistant|>",
    "<|fim_prefix|>",
    "<|fim_middle|>",
    "<|fim_suffix|>",
    "<|endoftext|>",
)
# Layout → the names its last block begins with, and the size of that block.
LAYOUTS: dict[str, tuple[tuple[str, ...], int]] = {
    "chatml": (CHATML_NAMES, 128),
    "minimal": ((), 0),
}
TAKEN_NAMES = {name.encode() for name in (*FIRST_NAMES, *CHATML_NAMES)}

# Largest values of a cell in the native matcher's table.
MAX_TOKEN_BYTES = 255
MAX_IDS = (1 << 24) - 1


def smallest_vocab_size(layout: str) -> int:
    """Return the number of ids of a layout without any piece.

    >>> smallest_vocab_size("chatml"), smallest_vocab_size("minimal")
    (388, 260)
    """
    return FIRST_PIECE_ID + LAYOUTS[layout][1]


def reserved_name(token: int) -> str:
    """Return the key of a reserved id in a file.

    >>> reserved_name(300)
    '<|reserved_300|>'
    """
    return f"<|reserved_{token}|>"


def is_taken(piece: bytes) -> bool:
    """Return whether a piece reads like the name of a special or a reserved token."""
    return piece in TAKEN_NAMES or piece.startswith(b"<|reserved_")
