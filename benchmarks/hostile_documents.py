"""Documents that attack their reader, absorbed in front of a good one."""
