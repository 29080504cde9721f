"""What the public reads, as it is kept: the log, planned maintenance, subscribers, and the folder of files."""
