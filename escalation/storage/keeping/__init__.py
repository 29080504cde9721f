"""Keeping: closed incidents in little space, for as long as the configuration says, without whom it forgets."""
