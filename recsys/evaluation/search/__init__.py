"""How good search is: judged pairs, rankings, metrics with intervals, and judgments that clicks give."""
