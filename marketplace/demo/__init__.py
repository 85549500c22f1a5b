"""A synthetic city and the stand-ins for the world outside: never in production, never beside a real municipality."""
