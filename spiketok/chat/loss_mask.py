"""Loss mask of conversations: which pieces of text are trained on.

In the loss are all pieces of an assistant's message after its role, the marker at its end
included, unless the message says otherwise (docs/chat.md). `encoding.py` gives each id the value
of its piece; shards keep them in the column `loss_mask`.
"""

ASSISTANT = "assistant"


def in_loss(role: str, trained: bool) -> bool:
    """Return whether the content of a message is in the loss.

    Args:
        role: who speaks.
        trained: what the message says of itself.

    >>> in_loss("assistant", True), in_loss("assistant", False), in_loss("user", True)
    (True, False, False)
    """
    return trained and role == ASSISTANT
