"""The register of addresses, venues with their opening hours, and the municipality's calendar."""
