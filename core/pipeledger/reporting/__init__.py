"""Health reports: what the ledger knows of a period, scored, as Markdown, HTML and JSON."""
