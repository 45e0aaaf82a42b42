"""Prefect as one thing to start and stop: server, worker, deployments, and the demonstration.

Nothing here trades. The order of stopping is the point: runs are cancelled and waited for first,
because a worker that ends takes its runs with it before they can finish.
"""
