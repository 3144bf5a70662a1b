"""Says what files and roles are called where `transformers` looks for them."""

VOCABULARY_FILE = "spike_tokenizer.json"
# The special tokens of FIRST_NAMES, in their order.
FIRST_ROLES = ("pad_token", "unk_token", "bos_token", "eos_token")
