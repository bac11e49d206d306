"""The rules of disaster recovery: pure data and functions, standard library only, no input or output."""
