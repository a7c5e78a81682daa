"""Schedule -> source, one module for each target."""
