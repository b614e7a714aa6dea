"""Click-through prediction: how likely an item is clicked, and bought, where it is shown."""
