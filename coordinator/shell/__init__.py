"""The thin asynchronous edge: streams, REST, the journal and the loop that joins them."""
