"""The catalogue of faults: sixty things that go wrong, and the tests that prove what we do then."""
