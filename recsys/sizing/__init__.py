"""What a shop of a given size needs: memory, disk and hours, by costs that were measured."""
