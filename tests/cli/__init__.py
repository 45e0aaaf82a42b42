"""The command, driven as a user drives it: arguments in; sentences and exit codes out."""
