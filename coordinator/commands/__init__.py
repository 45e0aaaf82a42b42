"""What an operator's commands do, for the terminal and for Prefect alike; one of them a file."""
