"""What is kept about on call beside its state: the cover as it was, and final pay reports."""
