"""Length-max vocabulary training: the fewest tokens under greedy longest match."""
