"""Features by one generator, the response by another model."""
