"""Text in, token shards out, and training windows over them."""

from .loader.hf_datasets import open_as_dataset
from .loader.shuffle import permute
from .loader.token_stream import TokenStream, open_stream
from .loader.windows import Windows, batches
from .shards.build import write_shards
from .shards.chat_encoding import encoded_conversations
from .shards.inspect import describe, read_split, show_document
from .shards.manifest import Manifest, read_manifest
from .shards.plan import Plan, make_plan
from .shards.settings import ChatSettings, ShardSettings
from .shards.verify import verify_folder
from .sources.bad_records import Dropped, Errors, counted
from .sources.chat_reader import read_conversations
from .sources.chat_records import read_conversation
from .sources.files import Source, find_sources, text_endings
from .sources.reader import first_fault, read_range, read_texts

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
