"""What users and we test with: the reference model of the ledger, in pure Python."""

from __future__ import annotations

from pipeledger.testing.model import ModelRecorder

__all__ = ["ModelRecorder"]
