"""Which methods cannot be told from the best one, found within a budget of time."""
