"""Monitoring: what is late, missing, failed, held back, stale, changed or odd, from what was recorded."""
