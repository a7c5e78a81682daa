"""Conformance vectors: what a cell computes, with bounds, for implementations in any language.

`formats` says what stands in a file, `making` makes vectors of any cell, `storing` writes and reads
them, `judging` judges results against them. The rooms whose names begin with `node_` make cases for
the operators LSTM, GRU and RNN of ONNX in the layout of ONNX's own node tests.
"""
