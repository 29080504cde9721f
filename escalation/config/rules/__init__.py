"""Rules that a policy is made of, by subject. Times in them count from the moment that its clocks start."""
