"""What on call pays: rates of the company, of its offices, and of single people."""
