"""What a trained model is worth: likelihood, posterior, collapse, gradients, representation."""
