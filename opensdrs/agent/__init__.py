"""The site daemon: the Site protocol over HTTP in front of a local driver.

It knows its site and nothing else: no groups' history, no jobs, no users. Stopping it disturbs nothing, because
everything that carries data runs in processes of its own.
"""
