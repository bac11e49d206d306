"""Jobs: what was admitted and must come to an end. A thin layer over the durable-workflow library (DBOS)."""
