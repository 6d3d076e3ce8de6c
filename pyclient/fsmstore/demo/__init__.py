"""The demo: a purchase conversation that survives the death of the process that serves it.

`conversation` and `purchase` are the program that a user of the package would write: what the shop says and computes.
`worker` is the process that runs it, `story` plays the whole from outside and checks every claim it makes.
"""
