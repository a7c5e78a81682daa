"""Recurrent cells from their equations: gradients, proofs, LaTeX and NumPy kernels."""
