"""`spike tokenizer` and its subcommands."""
