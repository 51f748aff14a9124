"""Features from one generator, the response from another model."""
