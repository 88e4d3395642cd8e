"""What keeps personal data from being stored in the clear."""
