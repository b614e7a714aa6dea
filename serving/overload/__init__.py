"""What happens when more is asked than can be answered: turns, simpler answers, and 429 behind them."""
