"""Read what people typed: one form for each draft; forms are the only readers of request bodies."""
