"""A code location that knows nothing of Pipeledger."""

import dagster as dg


@dg.op
def work() -> int:
    return 1


@dg.job
def strange():
    work()


defs = dg.Definitions(jobs=[strange], executor=dg.in_process_executor)
