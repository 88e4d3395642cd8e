"""Changes of known size that are planted into a copy of real windows, to see which monitors notice them."""
