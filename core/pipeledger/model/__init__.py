"""Plain values and rules: what a record says and how two records merge. No input or output."""
