"""The two towers of the retriever and their parts."""
