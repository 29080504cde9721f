"""What an incident is: its state, the events that change it, the effects that follow."""
