"""What recurs about action items: their tickets, and incidents that they were to prevent."""
