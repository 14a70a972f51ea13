"""The command line: ``pipeledger``. Each command imports what it needs when it runs."""
