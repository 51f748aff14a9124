"""How far are synthetic rows from real ones?"""
