from spiketok.chat.chatml import KINDS_OF_ROLE, Message, Part, pieces
from spiketok.chat.loss_mask import ASSISTANT, in_loss


def test_only_what_an_assistant_says_is_in_the_loss():
    for role in KINDS_OF_ROLE:
        for trained in (False, True):
            part = Part("tool_response" if role == "tool" else "text", "said")
            row = pieces([Message(role, (part,), trained)])
            expected = ["said", "<|im_end|>"] if in_loss(role, trained) else []
            if role == "tool":
                assert not expected
            assert [piece.text for piece in row if piece.trained] == expected
    assert in_loss(ASSISTANT, True)
    assert not in_loss(ASSISTANT, False)
