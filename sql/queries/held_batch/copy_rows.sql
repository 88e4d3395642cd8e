-- Keeps the rows of a held batch, byte for byte and in their order.
COPY llmmon.held_row (batch_id, place, file, byte_offset, cut, is_request, raw, sealed) FROM STDIN
