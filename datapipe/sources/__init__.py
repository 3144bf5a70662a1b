"""Sources: files of text and conversations as records, in bounded memory."""
