"""What each vendor means by its refusal: the person's, passing, or ours. What no table knows is ours."""
