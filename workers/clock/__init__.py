"""Time: the ticker that fires what is due, and the sweep that repairs what was lost."""
