"""Pages of the web app that people read in a browser."""
