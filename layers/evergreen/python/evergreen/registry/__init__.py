"""What is known and done: identity, derivation records, the catalogue, the journey."""
