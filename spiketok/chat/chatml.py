r"""ChatML: conversations as pieces of text and markers, each trained on or not.

A message is `<|im_start|>ROLE\n`, its parts, `<|im_end|>\n`. A part that is not plain text is
between two markers. Every marker and every stretch of text between markers is a piece, and so is
`ROLE\n`. Each piece of text is encoded by itself, so its text never changes the ids of another. The
ids of a conversation are those of its messages, concatenated. Text is never searched for markers:
structure comes from the parts alone. See docs/chat.md.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from ..errors import SpikeError
from .loss_mask import ASSISTANT, in_loss

START, END = "<|im_start|>", "<|im_end|>"
TEXT = "text"
# Kind of part → the markers around it.
AROUND = {
    "think": ("<think>", "</think>"),
    "solution": ("<begin_solution>", "<end_solution>"),
    "tool_call": ("<tool_call>", "</tool_call>"),
    "tool_response": ("<tool_response>", "</tool_response>"),
}
MARKERS = (START, END, *(marker for pair in AROUND.values() for marker in pair))
# Role → the kinds of part its messages may have.
KINDS_OF_ROLE = {
    "system": (TEXT,),
    "user": (TEXT,),
    ASSISTANT: (TEXT, "think", "solution", "tool_call"),
    "tool": ("tool_response",),
}


class Part(NamedTuple):
    """Part of a message: `kind` is `text` or a key of `AROUND`."""

    kind: str
    text: str


class Message(NamedTuple):
    """Message of one role.

    Attributes:
        role: a key of `KINDS_OF_ROLE`.
        parts: the content, in order.
        trained: whether an assistant's message is trained on; ignored for other roles.
    """

    role: str
    parts: tuple[Part, ...]
    trained: bool = True


class Piece(NamedTuple):
    """Piece of a conversation, encoded by itself.

    Attributes:
        text: text, or the name of a marker.
        marker: whether it is a marker.
        trained: whether it is in the loss: all of an assistant's text after its role, the marker
            at the end included, unless the message is not trained on.
    """

    text: str
    marker: bool
    trained: bool


def message(role: str, text: str) -> Message:
    """Return a message of one part.

    >>> message("tool", "0.2").parts[0].kind
    'tool_response'
    """
    return Message(role, (Part("tool_response" if role == "tool" else TEXT, text),))


# Role → the beginning of its messages; and, trained on or not → their end.
HEADERS = {
    role: (Piece(START, True, False), Piece(f"{role}\n", False, False)) for role in KINDS_OF_ROLE
}
ENDINGS = {
    trained: (Piece(END, True, trained), Piece("\n", False, False)) for trained in (False, True)
}


def pieces(messages: Iterable[Message], generation_prompt: bool = False) -> list[Piece]:
    r"""Convert a conversation to pieces: markers, and the texts between them.

    Args:
        messages: the conversation.
        generation_prompt: end with the start of an assistant's message, for a model to continue.

    Raises:
        SpikeError: a role is unknown, or a part is of a kind that its role cannot have.

    >>> [piece.text for piece in pieces([message("user", "Hi")], generation_prompt=True)]
    ['<|im_start|>', 'user\n', 'Hi', '<|im_end|>', '\n', '<|im_start|>', 'assistant\n']
    """
    row: list[Piece] = []
    for number, (role, parts, wants_loss) in enumerate(messages):
        if role not in KINDS_OF_ROLE:
            known = ", ".join(KINDS_OF_ROLE)
            raise SpikeError(f"messages[{number}]: role {role!r} is unknown; use one of {known}")
        trained = in_loss(role, wants_loss)
        row += HEADERS[role]
        before = ""
        for kind, text in parts:
            if kind not in KINDS_OF_ROLE[role]:
                known = ", ".join(KINDS_OF_ROLE[role])
                fault = f"messages[{number}]: a message of {role!r} cannot have a part {kind!r}"
                raise SpikeError(f"{fault}; use {known}")
            if kind != TEXT:
                opening, closing = AROUND[kind]
                row += (Piece(opening, True, trained), Piece(text, False, trained))
                row.append(Piece(closing, True, trained))
            elif before == TEXT:  # no marker between the two: one piece
                row.append(Piece(row.pop().text + text, False, trained))
            else:
                row.append(Piece(text, False, trained))
            before = kind
        row += ENDINGS[trained]
    if generation_prompt:
        row += HEADERS[ASSISTANT]
    return row


def render(messages: Iterable[Message], generation_prompt: bool = False) -> str:
    r"""Render a conversation as text for display, in which text may look like a marker.

    >>> render([message("user", "Hi")])
    '<|im_start|>user\nHi<|im_end|>\n'
    """
    return "".join(piece.text for piece in pieces(messages, generation_prompt))


def marker_ids(special_ids: Mapping[str, int]) -> dict[str, int]:
    """Return marker → id, for all of `MARKERS`.

    Raises:
        SpikeError: the tokenizer lacks markers.
    """
    if missing := [name for name in MARKERS if name not in special_ids]:
        raise SpikeError(
            f"the tokenizer lacks the chat markers {', '.join(missing)}; train a length-max one "
            "with --special-tokens chatml (BESE has no chat markers)"
        )
    return {name: special_ids[name] for name in MARKERS}
