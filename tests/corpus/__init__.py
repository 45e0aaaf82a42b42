"""Bad messages of the broker, by the thousand, and what must become of each."""
