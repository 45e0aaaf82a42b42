"""Alpaca's wire protocol on one loopback port, over a venue that keeps exact books.

Rule of this package: it imports nothing from `coordinator`, so that one misreading of the
protocol cannot cancel itself out. Start with `simulator.server.Simulator`.
"""
