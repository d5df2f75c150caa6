"""The first hour on a rented GPU: is everything there, is it right, is it fast, and then a training within the time.

Input: a device and a number of minutes. Output: one JSON and one page. `__main__.py` goes through the parts in order:
`environment.py` (versions, missing packages), `agreement.py` (CPU against GPU), `ceilings.py` (bandwidth and matrix
products), `speed.py` (a step at three sizes, where its time goes), then the training that `__main__.py` chooses.
"""
