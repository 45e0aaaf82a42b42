"""Starts and stops Prefect as a whole: server, worker, deployments, and the demonstration.

Nothing here trades. The order of stopping matters: runs are cancelled and waited for first, because
a worker that ends kills its runs before they can finish.
"""
