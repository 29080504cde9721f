"""The commands of `tocsin` that read and check."""
