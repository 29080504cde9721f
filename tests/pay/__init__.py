"""On-call pay, and the cover that it is made from."""
