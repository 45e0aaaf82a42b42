"""What the documents say is true: their commands, configurations, queries and links."""
