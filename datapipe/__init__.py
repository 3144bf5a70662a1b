"""Text in, token shards out, and training windows over them."""

from .chat_encoding import encoded_conversations
from .chat_reading import read_conversations
from .conversations import read_conversation
from .faults import Dropped, Errors, counted
from .inspection import describe, read_split, show_document
from .interchange import open_as_dataset
from .manifest import Manifest, read_manifest
from .permutation import permute
from .plan import Plan, make_plan
from .reading import first_fault, read_range, read_texts
from .run import write_shards
from .shard_settings import ChatSettings, ShardSettings
from .sources import Source, find_sources, text_endings
from .stream import TokenStream, open_stream
from .verify import verify_folder
from .windows import Windows, batches

__all__ = [
    "Source",
    "find_sources",
    "text_endings",
    "Errors",
    "Dropped",
    "counted",
    "read_range",
    "read_texts",
    "first_fault",
    "read_conversation",
    "read_conversations",
    "encoded_conversations",
    "ChatSettings",
    "ShardSettings",
    "Plan",
    "make_plan",
    "write_shards",
    "Manifest",
    "read_manifest",
    "verify_folder",
    "describe",
    "show_document",
    "read_split",
    "TokenStream",
    "open_stream",
    "Windows",
    "batches",
    "permute",
    "open_as_dataset",
]
