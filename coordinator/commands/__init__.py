"""The operator's commands, one in each file, for the command line and for Prefect."""
