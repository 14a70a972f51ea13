"""``python -m pipeledger_dagster``: the commands of ``pipeledger dagster``."""

from pipeledger_dagster.command import main

main()
