"""What keeps a ledger in order: naming rules, giving up dead runs, pruning, checks, database roles."""
