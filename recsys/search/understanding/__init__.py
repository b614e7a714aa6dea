"""What a query asks for: corrected, widened, its conditions found."""
