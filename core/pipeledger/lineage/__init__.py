"""Lineage: where data comes from and where it goes, walked over the recorded edges."""
