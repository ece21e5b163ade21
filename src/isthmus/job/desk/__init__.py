"""The desk: what people see of the jobs, and what they do about them."""
