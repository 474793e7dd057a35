"""IWAE Lab's core: importance sampling, its bounds, and models trained with them."""
