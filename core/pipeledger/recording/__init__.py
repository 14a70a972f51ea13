"""Recording: from a report to the ledger, whatever happens on the way."""
