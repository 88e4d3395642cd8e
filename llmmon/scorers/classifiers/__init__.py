"""What a scorer needs to ask a classifier of pairs of texts: the model itself, and a context cut into its windows."""
