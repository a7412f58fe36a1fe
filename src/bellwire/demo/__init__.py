"""What can be seen without an account anywhere: the whole way of an alert, on one machine."""
