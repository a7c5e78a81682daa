"""Is this recurrent layer right? Properties, references with error bounds, and reports."""
