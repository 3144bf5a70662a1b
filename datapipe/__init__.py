"""Text in, token shards out, and training windows over them."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .loader.hf_datasets import open_as_dataset
    from .loader.shuffle import permute
    from .loader.token_stream import TokenStream, open_stream
    from .loader.window_documents import WindowPart, window_documents
    from .loader.windows import Windows, batches
    from .overlap.longest_repeats import Repeat, longest_repeats
    from .overlap.training_overlap import Overlap, total_overlap, training_overlap
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
    from .sources.source_range import SourceRange

__all__ = [
    "Source",
    "SourceRange",
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
    "WindowPart",
    "window_documents",
    "open_as_dataset",
    "Overlap",
    "training_overlap",
    "total_overlap",
    "Repeat",
    "longest_repeats",
]

# Imported lazily (PEP 562): a command's --help needs none of them.
LATER = {
    "Source": "sources.files",
    "SourceRange": "sources.source_range",
    "find_sources": "sources.files",
    "text_endings": "sources.files",
    "Errors": "sources.bad_records",
    "Dropped": "sources.bad_records",
    "counted": "sources.bad_records",
    "read_range": "sources.reader",
    "read_texts": "sources.reader",
    "first_fault": "sources.reader",
    "read_conversation": "sources.chat_records",
    "read_conversations": "sources.chat_reader",
    "encoded_conversations": "shards.chat_encoding",
    "ChatSettings": "shards.settings",
    "ShardSettings": "shards.settings",
    "Plan": "shards.plan",
    "make_plan": "shards.plan",
    "write_shards": "shards.build",
    "Manifest": "shards.manifest",
    "read_manifest": "shards.manifest",
    "verify_folder": "shards.verify",
    "describe": "shards.inspect",
    "show_document": "shards.inspect",
    "read_split": "shards.inspect",
    "TokenStream": "loader.token_stream",
    "open_stream": "loader.token_stream",
    "Windows": "loader.windows",
    "batches": "loader.windows",
    "permute": "loader.shuffle",
    "WindowPart": "loader.window_documents",
    "window_documents": "loader.window_documents",
    "open_as_dataset": "loader.hf_datasets",
    "Overlap": "overlap.training_overlap",
    "training_overlap": "overlap.training_overlap",
    "total_overlap": "overlap.training_overlap",
    "Repeat": "overlap.longest_repeats",
    "longest_repeats": "overlap.longest_repeats",
}


def __getattr__(name: str) -> Any:
    if name not in LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{LATER[name]}", __name__), name)
