"""Jobs on encoders: trained, distilled, prepared, exported, compared, applied to images."""
