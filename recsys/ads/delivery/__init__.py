"""What became of ads as requests came: at which step each campaign left, and the slots that were served."""
