"""Who may score: keys and tokens, and where tokens come from."""
