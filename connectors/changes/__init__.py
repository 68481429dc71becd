"""What a change event means: decoding, order, folding."""
