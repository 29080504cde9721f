"""Commands that try a policy without sending anything: on an invented incident, on those of the past."""
