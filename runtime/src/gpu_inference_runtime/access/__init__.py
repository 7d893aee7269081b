"""Access control: keys, tokens, and the issuers of tokens."""
