"""That what is measured is what is said to be measured. No figure is asserted here."""
