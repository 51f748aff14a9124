"""Privacy: what would an attacker who sees synthetic rows gain?"""
