"""Model families: Qwen3-shaped, golf and SpikeWhale, and their construction."""
