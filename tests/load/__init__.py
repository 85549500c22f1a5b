"""A city of 200,000 inhabitants under the load of its families, providers and officers (`make load`)."""
