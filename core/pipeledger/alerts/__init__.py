"""Alerts: findings told to people, each once, through apprise."""

from pipeledger.alerts.rounds import Sent, Told, send

__all__ = ["Sent", "Told", "send"]
